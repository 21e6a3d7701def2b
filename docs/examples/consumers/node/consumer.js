// Prints Strata's events and proves that none is missing.
//
//     npm install
//     AMQP_URL=amqp://guest:guest@127.0.0.1:5672/ node consumer.js
//
// It declares its own queue, as every consumer does. With UNTIL=<position> it
// ends when it has everything up to there.
import amqp from "amqplib";

const url = process.env.AMQP_URL ?? "amqp://guest:guest@127.0.0.1:5672/";
const queue = process.env.QUEUE ?? "example-node";
const until = BigInt(process.env.UNTIL ?? "0");

async function declare(channel) {
  const dead = `${queue}.dead`;
  await channel.assertQueue(dead, { durable: true, arguments: { "x-queue-type": "quorum" } });
  await channel.assertQueue(queue, {
    durable: true,
    arguments: {
      "x-queue-type": "quorum",
      "x-delivery-limit": 5,
      "x-dead-letter-exchange": "",
      "x-dead-letter-routing-key": dead,
    },
  });
  await channel.bindQueue(queue, "strata.events", "#");
}

// Proves completeness: positions have no gaps, so a set of them says what is
// missing. Positions are 64-bit: BigInt, never Number.
class Account {
  ids = new Map();
  duplicates = 0;

  // Says whether the event is new. One position always has one id.
  add(position, id) {
    const known = this.ids.get(position);
    if (known !== undefined) {
      if (known !== id) throw new Error(`position ${position} came as ${known} and as ${id}`);
      this.duplicates++;
      return false;
    }
    // A new queue starts in the middle; the event feed has what was before.
    if (this.ids.size === 0) this.first = this.next = position;
    this.ids.set(position, id);
    while (this.ids.has(this.next)) this.next++;
    return true;
  }

  toString() {
    if (this.ids.size === 0) return "no events";
    let last = this.first;
    for (const p of this.ids.keys()) if (p > last) last = p;
    const missing = last - this.first + 1n - BigInt(this.ids.size);
    return `complete from ${this.first} to ${this.next - 1n}: ${this.ids.size} events, ${missing} missing, ${this.duplicates} duplicates`;
  }
}

const connection = await amqp.connect(url);
const channel = await connection.createChannel();
await declare(channel);
await channel.prefetch(200);

const account = new Account();
let finished = false;
async function finish() {
  if (finished) return;
  finished = true;
  console.log(account.toString());
  await channel.close();
  await connection.close();
}
process.once("SIGINT", finish);
process.once("SIGTERM", finish);

await channel.consume(queue, (message) => {
  if (finished) return;
  if (message === null) {
    console.error("the broker ended the consumer: the queue is gone");
    process.exit(1);
  }
  let event, position;
  try {
    event = JSON.parse(message.content.toString("utf8"));
    position = BigInt(event.sequence); // position in the whole log, 20 digits
  } catch (error) {
    console.log(`not an event, to the dead letters: ${error.message}`);
    channel.reject(message, false);
    return;
  }
  if (account.add(position, event.id)) {
    // Here the event would take effect, once.
    console.log(`${position} ${event.type} ${event.subject} by ${event.authid}`);
  }
  channel.ack(message); // only now: a crash before this brings it again
  if (until > 0n && account.next > until) void finish();
});
