// Command source sends measurements into Strata as a registered source: into its
// queue, signed with its key.
//
//	strata source keygen source.pem   # register the public key that it prints
//	AMQP_URL=amqp://… SOURCE_ID=0198… SOURCE_KEY=source.pem go run ./docs/examples/sources/go < measurements.json
//
// The message id is made of the body: running it again sends the same message
// again, and its effect is there once.
package main

import (
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

func main() {
	if err := run(os.Getenv, os.Stdin); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(getenv func(string) string, in io.Reader) error {
	body, err := io.ReadAll(in)
	if err != nil {
		return err
	}
	key, err := privateKey(getenv("SOURCE_KEY"))
	if err != nil {
		return err
	}
	source := getenv("SOURCE_ID")
	sum := sha256.Sum256(body)
	digest := hex.EncodeToString(sum[:])
	id := "sha256:" + digest
	signature := ed25519.Sign(key, []byte("strata-ingest.v1\n"+source+"\n"+id+"\n"+digest))
	return send(getenv("AMQP_URL"), "strata.ingest."+source, amqp.Publishing{
		MessageId:    id,
		DeliveryMode: amqp.Persistent,
		ContentType:  "application/json",
		Headers:      amqp.Table{"strata-signature": base64.StdEncoding.EncodeToString(signature)},
		Body:         body,
	})
}

// send returns nil once the queue has the message. After an error it may have it
// or not: send it again.
func send(url, queue string, m amqp.Publishing) error {
	conn, err := amqp.Dial(url)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }() // confirmed or failed by then
	ch, err := conn.Channel()
	if err != nil {
		return err
	}
	if err := ch.Confirm(false); err != nil {
		return err
	}
	returned := ch.NotifyReturn(make(chan amqp.Return, 1))
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	confirmed, err := ch.PublishWithDeferredConfirmWithContext(ctx, "", queue, true, false, m) // mandatory
	if err != nil {
		return err
	}
	taken, err := confirmed.WaitContext(ctx)
	if err != nil {
		return err
	}
	select {
	case r, ok := <-returned:
		if ok {
			return fmt.Errorf("there is no queue %s (%s): is the source registered for amqp?", queue, r.ReplyText)
		}
	default:
	}
	if !taken {
		return errors.New("the broker did not take the message")
	}
	return nil
}

func privateKey(file string) (ed25519.PrivateKey, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	block, _ := pem.Decode(text)
	if block == nil {
		return nil, fmt.Errorf("%s is no PEM file", file)
	}
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, err
	}
	private, ok := key.(ed25519.PrivateKey)
	if !ok {
		return nil, fmt.Errorf("%s holds no Ed25519 key", file)
	}
	return private, nil
}
