package verifycli

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"

	"strata.dev/strata/app/verifier"
)

// Exit codes.
const (
	ExitVerified = 0
	ExitFailure  = 1 // something could not be read
	ExitUsage    = 2
	ExitWrong    = 3 // the verification failed
)

// Options are what the verifier cannot do by itself.
type Options struct {
	Unpack verifier.Unpack // opens segments of an archive; nil = archives cannot be read
}

const usage = `usage: strata-verify pack DIR|ZIP      an evidence pack
       strata-verify archive DIR       an archive of a log: every segment and checkpoint
       strata-verify receipt FILE      a receipt of a command
       strata-verify log FILE          an export of a whole log, one event a line, against --checkpoint

  --key KEY         a public key of the log, or a file of them; as often as needed
  --witness KEY     a witness's public key, or a file of them: all must have cosigned
  --remember FILE   what was seen before: refuses what is older, or does not continue it
  --checkpoint FILE a signed checkpoint (log)
  -o table|json

It needs no network and nothing of Strata. The public keys must come from elsewhere than what is
verified: keys inside a pack prove nothing. Exit codes: 0 verified, 1 something could not be read,
2 wrong usage, 3 the verification failed.
`

// Result is what a verification says.
type Result struct {
	Verified   bool                   `json:"verified"`
	What       string                 `json:"what"`
	Origin     string                 `json:"origin,omitempty"`
	Size       int64                  `json:"size,string,omitempty"` // of the checkpoint
	Root       string                 `json:"root,omitempty"`
	SignedBy   []string               `json:"signedBy,omitempty"`
	Cosigned   []verifier.Cosignature `json:"cosigned,omitempty"`
	Events     int64                  `json:"events"`
	First      int64                  `json:"first,string,omitempty"` // positions
	Last       int64                  `json:"last,string,omitempty"`
	Complete   string                 `json:"complete,omitempty"`
	Remarks    []string               `json:"remarks,omitempty"`
	Problem    *verifier.Problem      `json:"problem,omitempty"`
	checkpoint verifier.Checkpoint
	note       []byte
}

// list is a flag that may come more than once.
type list []string

func (l *list) String() string     { return strings.Join(*l, ",") }
func (l *list) Set(s string) error { *l = append(*l, s); return nil }

// call is one call of the program.
type call struct {
	options    Options
	keys       list
	witnesses  list
	remember   string
	checkpoint string
	output     string
	trust      verifier.Trust
	memory     *verifier.Memory
}

var errUsage = errors.New("wrong usage")

func wrongUsage(format string, args ...any) error {
	return fmt.Errorf("%w: "+format, append([]any{errUsage}, args...)...)
}

// Main runs the program with its arguments, without its name, and gives the exit
// code. What went wrong is one line on stderr.
func Main(ctx context.Context, args []string, stdout, stderr io.Writer, o Options) int {
	c := &call{options: o}
	r, err := c.run(ctx, args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		fmt.Fprint(stdout, usage)
		return ExitVerified
	case errors.Is(err, errUsage):
		fmt.Fprintf(stderr, "strata-verify: %v\n\n%s", err, usage)
		return ExitUsage
	case err != nil:
		fmt.Fprintln(stderr, "strata-verify:", err)
		return ExitFailure
	}
	if err := c.print(stdout, r); err != nil {
		fmt.Fprintln(stderr, "strata-verify:", err)
		return ExitFailure
	}
	if !r.Verified {
		fmt.Fprintln(stderr, "strata-verify:", r.Problem)
		return ExitWrong
	}
	return ExitVerified
}

func (c *call) run(ctx context.Context, args []string) (r Result, err error) {
	flags := flag.NewFlagSet("strata-verify", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	flags.Var(&c.keys, "key", "")
	flags.Var(&c.witnesses, "witness", "")
	flags.StringVar(&c.remember, "remember", "", "")
	flags.StringVar(&c.checkpoint, "checkpoint", "", "")
	flags.StringVar(&c.output, "o", "table", "")
	var words []string // flags may come before and after them
	for rest := args; ; {
		if err := flags.Parse(rest); err != nil {
			if errors.Is(err, flag.ErrHelp) {
				return r, err
			}
			return r, wrongUsage("%v", err)
		}
		if flags.NArg() == 0 {
			break
		}
		words, rest = append(words, flags.Arg(0)), flags.Args()[1:]
	}
	if len(words) != 2 {
		return r, wrongUsage("it takes what is to be verified, and where it is")
	}
	verify, known := map[string]func(context.Context, string) (Result, error){
		"pack": c.pack, "archive": c.archive, "receipt": c.receipt, "log": c.log,
	}[words[0]]
	if !known || c.output != "table" && c.output != "json" {
		return r, wrongUsage("%q -o %q", words[0], c.output)
	}
	if err := c.prepare(); err != nil {
		return r, err
	}
	r, err = verify(ctx, words[1])
	if p := (*verifier.Problem)(nil); errors.As(err, &p) {
		r.Problem, err = p, nil
	}
	r.What = words[0] + " " + words[1]
	r.Verified = err == nil && r.Problem == nil
	return r, err
}

// prepare reads the keys and what was seen before.
func (c *call) prepare() (err error) {
	if c.trust.Log, err = Keys(c.keys); err != nil {
		return err
	}
	if c.trust.Witnesses, err = Keys(c.witnesses); err != nil {
		return err
	}
	if c.trust.Quorum = len(c.trust.Witnesses); len(c.trust.Log) == 0 {
		return wrongUsage("whose signature counts? Give --key")
	}
	c.memory = &verifier.Memory{}
	if c.remember == "" {
		return nil
	}
	text, err := os.ReadFile(c.remember)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	if c.memory, err = verifier.ParseMemory(string(text), c.trust); err != nil {
		return fmt.Errorf("%s: %w", c.remember, err)
	}
	return nil
}

// Keys reads keys that are given, each itself or as a file of them. An error is the
// caller's mistake.
func Keys(given []string) (all []verifier.Key, err error) {
	for _, g := range given {
		text, err := os.ReadFile(g)
		if err != nil {
			text = []byte(g)
		}
		more, err := verifier.ParseKeys(text)
		if err == nil && len(more) == 0 {
			err = errors.New("no key is in it")
		}
		if err != nil {
			return nil, wrongUsage("key %.80q: %v", g, err)
		}
		all = append(all, more...)
	}
	return all, nil
}

// seen writes what a report says about its checkpoint into the result.
func (r *Result) seen(c verifier.Checkpoint, note []byte) {
	r.checkpoint, r.note = c, note
	r.Origin, r.Size, r.SignedBy, r.Cosigned = c.Origin, c.Size, c.SignedBy, c.Seen
	if c.Origin != "" {
		r.Root = c.Root.String()
	}
}

// notOlder refuses a checkpoint that cannot follow on what was seen before. Whether
// the one continues the other it cannot say without a proof.
func (c *call) notOlder(r *Result) error {
	newest, ok := c.memory.Newest()
	if !ok {
		return nil
	}
	if p := c.memory.Continues(r.checkpoint); p != nil {
		return p
	}
	if newest.Size < r.Size {
		r.Remarks = append(r.Remarks, fmt.Sprintf("that the log of size %d continues the one of size %d seen before is not shown here: verify the archive, or the log", r.Size, newest.Size))
	}
	return nil
}

func (c *call) print(w io.Writer, r Result) error {
	if c.output == "json" {
		return json.NewEncoder(w).Encode(r)
	}
	t := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
	line := func(name, value string) {
		if value != "" {
			fmt.Fprintf(t, "%s\t%s\n", name, value)
		}
	}
	verdict := "verified"
	if !r.Verified {
		verdict = "NOT VERIFIED"
	}
	line(r.What, verdict)
	if p := r.Problem; p != nil {
		switch {
		case p.Through > p.Position:
			line("first bad position", fmt.Sprintf("%d to %d", p.Position, p.Through))
		case p.Position > 0:
			line("first bad position", fmt.Sprint(p.Position))
		}
		line("event", p.EventID)
		line("stream", p.Stream)
		line("check", p.Check)
		line("where", p.Where)
		line("expected", p.Expected)
		line("found", p.Found)
		line("it looks", p.Looks())
	}
	if r.Events > 0 {
		line("events", fmt.Sprintf("%d, positions %d to %d", r.Events, r.First, r.Last))
	}
	line("complete", r.Complete)
	if r.Origin != "" {
		line("checkpoint", fmt.Sprintf("%s, size %d, root %s", r.Origin, r.Size, r.Root))
		line("signed by", strings.Join(r.SignedBy, ", "))
	}
	for _, s := range r.Cosigned {
		line("cosigned by", fmt.Sprintf("%s at %s", s.Witness, s.At.Format("2006-01-02T15:04:05Z")))
	}
	for _, remark := range r.Remarks {
		line("remark", remark)
	}
	return t.Flush()
}
