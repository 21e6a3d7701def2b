"""Prints Strata's events and proves that none is missing.

    apt install python3-pika
    AMQP_URL=amqp://guest:guest@127.0.0.1:5672/%2F python3 consumer.py

It declares its own queue, as every consumer does. With UNTIL=<position> it ends
when it has everything up to there.
"""
import json
import os
import sys

import pika

URL = os.environ.get("AMQP_URL", "amqp://guest:guest@127.0.0.1:5672/%2F")
QUEUE = os.environ.get("QUEUE", "example-python")
UNTIL = int(os.environ.get("UNTIL", "0"))


def declare(channel):
    dead = QUEUE + ".dead"
    channel.queue_declare(dead, durable=True, arguments={"x-queue-type": "quorum"})
    channel.queue_declare(QUEUE, durable=True, arguments={
        "x-queue-type": "quorum",
        "x-delivery-limit": 5,
        "x-dead-letter-exchange": "",
        "x-dead-letter-routing-key": dead,
    })
    channel.queue_bind(QUEUE, "strata.events", "#")


class Account:
    """Proves completeness: positions have no gaps, so a set of them says what is missing."""

    def __init__(self):
        self.ids = {}
        self.first = self.next = None
        self.duplicates = 0

    def add(self, position, event_id):
        """Says whether the event is new. One position always has one id."""
        if position in self.ids:
            if self.ids[position] != event_id:
                sys.exit(f"position {position} came as {self.ids[position]} and as {event_id}")
            self.duplicates += 1
            return False
        if self.first is None:  # a new queue starts in the middle; the event feed has what was before
            self.first = self.next = position
        self.ids[position] = event_id
        while self.next in self.ids:
            self.next += 1
        return True

    def __str__(self):
        if not self.ids:
            return "no events"
        missing = max(self.ids) - self.first + 1 - len(self.ids)
        return (f"complete from {self.first} to {self.next - 1}: {len(self.ids)} events, "
                f"{missing} missing, {self.duplicates} duplicates")


def main():
    account = Account()
    connection = pika.BlockingConnection(pika.URLParameters(URL))
    channel = connection.channel()
    declare(channel)
    channel.basic_qos(prefetch_count=200)
    try:
        for method, _properties, body in channel.consume(QUEUE):
            try:
                event = json.loads(body)
                position = int(event["sequence"])  # position in the whole log, 20 digits
            except (ValueError, KeyError) as error:
                print(f"not an event, to the dead letters: {error}")
                channel.basic_reject(method.delivery_tag, requeue=False)
                continue
            if account.add(position, event["id"]):  # here the event would take effect, once
                print(position, event["type"], event["subject"], "by", event["authid"])
            channel.basic_ack(method.delivery_tag)  # only now: a crash before this brings it again
            if UNTIL and account.next > UNTIL:
                break
    except KeyboardInterrupt:
        pass
    print(account)
    channel.cancel()
    connection.close()


if __name__ == "__main__":
    main()
