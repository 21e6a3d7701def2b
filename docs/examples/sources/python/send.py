"""Sends measurements into Strata as a registered source, over HTTP.

    apt install python3-cryptography
    strata source keygen source.pem      # register the public key that it prints
    STRATA_URL=https://strata.example ORGANIZATION=0198… SOURCE_ID=0198… SOURCE_KEY=source.pem python3 send.py < measurements.json

The message id is made of the body: running it again sends the same message
again, and gets the same answer. Exit code 0: all measurements were taken, 1:
some were refused, 2: the message was.
"""
import base64
import hashlib
import json
import os
import sys
import time
import urllib.error
import urllib.request

from cryptography.hazmat.primitives.serialization import load_pem_private_key


def signed(key, source, body):
    digest = hashlib.sha256(body).hexdigest()
    message_id = "sha256:" + digest
    text = "\n".join(["strata-ingest.v1", source, message_id, digest])
    return message_id, base64.b64encode(key.sign(text.encode())).decode()


def send(url, organization, source, key, body):
    message_id, signature = signed(key, source, body)
    request = urllib.request.Request(
        f"{url}/v1/sources/{source}/measurements", data=body, method="POST",
        headers={
            "Content-Type": "application/json",
            "Strata-Organization": organization,
            "Strata-Message-Id": message_id,
            "Strata-Signature": signature,
        })
    pause = 1
    while True:
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as refusal:
            if refusal.code != 429 and refusal.code < 500:
                return refusal.code, json.load(refusal)
            pause = float(refusal.headers.get("Retry-After", pause))
        except OSError:
            pass  # it may have arrived: sending it again is safe
        time.sleep(pause)
        pause = min(2 * pause, 60)


def main():
    with open(os.environ["SOURCE_KEY"], "rb") as file:
        key = load_pem_private_key(file.read(), password=None)
    status, answer = send(os.environ["STRATA_URL"], os.environ["ORGANIZATION"], os.environ["SOURCE_ID"], key, sys.stdin.buffer.read())
    if status != 200:
        print(f"refused: {answer.get('code')}: {answer.get('detail', answer.get('title'))}")
        return 2
    print(f"{answer['recorded']} recorded, {answer['corrected']} corrected, {answer['unchanged']} unchanged, {answer['rejected']} rejected")
    for item in answer["items"]:
        if item["status"] == "rejected":
            print(f"measurement {item['index']}: {item['code']}: {item.get('detail', '')}")
    return 1 if answer["rejected"] else 0


sys.exit(main())
