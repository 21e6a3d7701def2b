package main

import (
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/google/uuid"
	"github.com/spf13/cobra"

	"strata.dev/strata/adapters/rabbitmq"
	"strata.dev/strata/app/ingest"
	"strata.dev/strata/domain/source"
	"strata.dev/strata/ports/rest/restclient"
)

// source is the sending side: what an outside system needs to report measurements.
func (c *cli) source() *cobra.Command {
	cmd := group("source", "Send measurements as an outside source does")
	cmd.AddCommand(c.sourceKeygen(), c.sourceSign(), c.sourceSend())
	return cmd
}

func (c *cli) sourceKeygen() *cobra.Command {
	return &cobra.Command{
		Use: "keygen FILE", Short: "Make a source's key: the private half into FILE, the public half to register", Args: exactly(1, "the file for the private key"),
		Long: `Makes an Ed25519 key. FILE gets the private key (PKCS #8, PEM) and must not be there yet; it stays with the source. What is
printed is the public key, which a data steward registers, and its fingerprint, to compare by another way.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			public, private, err := ed25519.GenerateKey(nil)
			if err != nil {
				return err
			}
			der, err := x509.MarshalPKCS8PrivateKey(private)
			if err != nil {
				return err
			}
			if err := writeNew(args[0], pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})); err != nil {
				return err
			}
			encoded := base64.StdEncoding.EncodeToString(public)
			fingerprint, _ := source.Fingerprint(encoded) // of a key that was just made
			return c.print(cmd.OutOrStdout(), map[string]string{"publicKey": encoded, "fingerprint": fingerprint}, func(w io.Writer) error {
				_, err := fmt.Fprintf(w, "public key\t%s\nfingerprint\t%s\n", encoded, fingerprint)
				return err
			})
		},
	}
}

// writeNew writes a file that only its owner reads, and never over another one.
func writeNew(name string, content []byte) error {
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return usageError{fmt.Errorf("the private key's file: %w", err)}
	}
	_, err = f.Write(content)
	return errors.Join(err, f.Close())
}

// outgoing is a message and who sends it, as flags name them.
type outgoing struct{ key, source, id string }

func (o *outgoing) register(cmd *cobra.Command) {
	cmd.Flags().StringVar(&o.key, "key", "", "file with the source's private key (strata source keygen)")
	cmd.Flags().StringVar(&o.source, "source", "", "the source's id")
	cmd.Flags().StringVar(&o.id, "message-id", "", "the message's id; by default made of the body, so that sending it again is safe")
}

// sign reads a message's body and signs it.
func (o *outgoing) sign(cmd *cobra.Command, args []string) (body []byte, signature string, err error) {
	id, err := uuid.Parse(o.source)
	if err != nil {
		return nil, "", usageError{fmt.Errorf("--source must be a source's id: %w", err)}
	}
	o.source = id.String()
	key, err := readKey(o.key)
	if err != nil {
		return nil, "", usageError{fmt.Errorf("--key: %w", err)}
	}
	if body, err = readDocument(args[0], cmd.InOrStdin()); err != nil {
		return nil, "", err
	}
	if o.id == "" {
		sum := sha256.Sum256(body)
		o.id = "sha256:" + hex.EncodeToString(sum[:])
	}
	return body, ingest.Sign(key, o.source, o.id, body), nil
}

func readKey(name string) (ed25519.PrivateKey, error) {
	text, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	block, _ := pem.Decode(text)
	if block == nil {
		return nil, fmt.Errorf("%s is no PEM file", name)
	}
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	private, ok := key.(ed25519.PrivateKey)
	if !ok {
		return nil, fmt.Errorf("%s holds a key of another kind than Ed25519", name)
	}
	return private, nil
}

func (c *cli) sourceSign() *cobra.Command {
	var o outgoing
	cmd := &cobra.Command{
		Use: "sign FILE", Short: "Print the signature of a message", Args: exactly(1, "the message's file, or - for standard input"),
		RunE: func(cmd *cobra.Command, args []string) error {
			_, signature, err := o.sign(cmd, args)
			if err != nil {
				return err
			}
			return c.print(cmd.OutOrStdout(), map[string]string{"messageId": o.id, "signature": signature}, func(w io.Writer) error {
				_, err := fmt.Fprintln(w, signature)
				return err
			})
		},
	}
	o.register(cmd)
	return cmd
}

func (c *cli) sourceSend() *cobra.Command {
	var o outgoing
	var address, organization string
	var overHTTP, queue bool
	cmd := &cobra.Command{
		Use: "send FILE", Short: "Sign a message and send it, over HTTP or into the source's queue", Args: exactly(1, "the message's file, or - for standard input"),
		Long: `Signs the measurements in FILE and sends them: with --http to the service, which answers what became of each, or with
--queue into the source's queue at STRATA_AMQP_URL, where they are safe once the command has ended. The command may be repeated:
the same message has its effect once.`,
		Example: "  strata source send --http --key source.pem --source 0198c0de-… --org 0198c0de-… measurements.json",
		RunE: func(cmd *cobra.Command, args []string) error {
			if overHTTP == queue {
				return usageError{errors.New("say how it is to be sent: --http or --queue")}
			}
			cfg, _, err := c.load(cmd.ErrOrStderr())
			if err != nil {
				return err
			}
			body, signature, err := o.sign(cmd, args)
			if err != nil {
				return err
			}
			if queue {
				return o.enqueue(cmd.Context(), cfg, body, signature)
			}
			if _, err := uuid.Parse(organization); err != nil {
				return usageError{fmt.Errorf("--org must be an organization's id: %w", err)}
			}
			if address == "" {
				address = cfg.serviceURL()
			}
			answer, err := o.post(cmd.Context(), address, organization, body, signature)
			if err != nil {
				return err
			}
			var told ingest.Answer
			if err := json.Unmarshal(answer, &told); err != nil {
				return fmt.Errorf("the answer: %w", err)
			}
			return c.print(cmd.OutOrStdout(), json.RawMessage(answer), func(w io.Writer) error { return printAnswer(w, told) })
		},
	}
	o.register(cmd)
	cmd.Flags().BoolVar(&overHTTP, "http", false, "send it to the service")
	cmd.Flags().BoolVar(&queue, "queue", false, "put it into the source's queue")
	cmd.Flags().StringVar(&organization, "org", "", "id of the source's organization; with --http")
	cmd.Flags().StringVar(&address, "url", "", "address of the service (STRATA_URL; by default the one at STRATA_HTTP_ADDR); with --http")
	return cmd
}

func (o *outgoing) post(ctx context.Context, address, organization string, body []byte, signature string) (answer []byte, err error) {
	client := &restclient.Client{Base: address, HTTP: &http.Client{Timeout: answerTimeout}}
	got, err := client.Do(ctx, restclient.Request{
		Method: http.MethodPost, Path: "/v1/sources/" + o.source + "/measurements", Body: body, ContentType: "application/json",
		Header: http.Header{"Strata-Organization": {organization}, "Strata-Message-Id": {o.id}, "Strata-Signature": {signature}},
	})
	var problem *restclient.Problem
	if errors.As(err, &problem) && problem.Status == http.StatusUnauthorized {
		return nil, fmt.Errorf("%s does not know this source, or not this key: compare id, organization and fingerprint with the registration", address)
	}
	if err != nil {
		return nil, explainAPI(address, err)
	}
	return got.Body, nil
}

// enqueue returns when the queue has the message for certain.
func (o *outgoing) enqueue(ctx context.Context, cfg config, body []byte, signature string) (err error) {
	if err := cfg.need("STRATA_AMQP_URL"); err != nil {
		return err
	}
	p, err := rabbitmq.Open(cfg.AMQPURL, rabbitmq.Options{Timeout: 10 * time.Second})
	if err != nil {
		return usageError{fmt.Errorf("STRATA_AMQP_URL: %w", err)}
	}
	defer func() { err = errors.Join(err, p.Close()) }()
	m := message.NewMessage(o.id, body)
	m.SetContext(ctx)
	m.Metadata = message.Metadata{
		rabbitmq.RoutingKeyProperty: rabbitmq.InboundPrefix + o.source, rabbitmq.ContentTypeProperty: "application/json", rabbitmq.HeaderSignature: signature,
	}
	switch err := p.Publish("", m); {
	case errors.Is(err, rabbitmq.ErrUnroutable):
		return fmt.Errorf("there is no queue %s%s: is the source registered for amqp, and does the service run?", rabbitmq.InboundPrefix, o.source)
	case err != nil:
		return fmt.Errorf("the queue did not take the message (%w): %w", rootCause(err), errUnreachable)
	}
	return nil
}

// printAnswer says what became of a message.
func printAnswer(w io.Writer, a ingest.Answer) error {
	again := ""
	if a.Replayed {
		again = " (as answered before)"
	}
	if _, err := fmt.Fprintf(w, "%d recorded, %d corrected, %d unchanged, %d rejected%s\n", a.Recorded, a.Corrected, a.Unchanged, a.Rejected, again); err != nil {
		return err
	}
	for _, item := range a.Items {
		if item.Status == ingest.Rejected {
			if _, err := fmt.Fprintf(w, "%d\t%s\t%s\n", item.Index, item.Code, item.Detail); err != nil {
				return err
			}
		}
	}
	return nil
}
