package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"strata.dev/strata/adapters/blob"
	"strata.dev/strata/adapters/notekeys"
	"strata.dev/strata/adapters/postgres"
	"strata.dev/strata/app/ledger"
	"strata.dev/strata/app/proving"
	"strata.dev/strata/app/verifier"
	"strata.dev/strata/app/verifier/verifycli"
)

// errTampered: the log is not what was sealed. Exit code 3.
var errTampered error = tampered{}

type tampered struct{}

func (tampered) Error() string { return "the log is not what was recorded and sealed" }

// Is makes it a kind of errDiverged.
func (tampered) Is(target error) bool { return target == errDiverged }

// provingFlags are those of `strata verify`.
type provingFlags struct {
	from, to int64
	every    time.Duration
	url      string
	keys     []string
	witness  []string
	remember string
	archive  string
}

// proving verifies the log against what was sealed of it.
func (c *cli) proving() *cobra.Command {
	var f provingFlags
	cmd := &cobra.Command{
		Use: "verify", Short: "Verify that the log is what was recorded and sealed: every event, checkpoint and signature",
		Long: `Reads every event of the log and checks it with an implementation of its own (app/verifier): positions, organization
sequences and stream versions without gaps, time that does not go back, commands and events that come once; every
event's hash against the ledger's tiles, and these against every signed checkpoint. Nothing is changed, and everything
may go on meanwhile.

It needs to read only: --url names the log database for a role that may do no more, by default it is STRATA_LOG_URL.
The public keys are --key (a key, or a file of them; strata ledger keys lists them), by default those of
STRATA_LEDGER_KEY_FILE. Who owns the database and the key can make a log that fits: --remember FILE keeps what was seen
where they cannot reach it and refuses a log that does not continue it, --archive compares with the archive, event by
event, and --witness asks for a witness's cosignature.

Exit code 3: something is not as it was sealed. The first bad position is named, what is expected there, what is found,
and what that looks like.`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return c.prove(cmd, f) },
	}
	flags := cmd.Flags()
	flags.Int64Var(&f.from, "from", 0, "the first position of a range")
	flags.Int64Var(&f.to, "to", 0, "the last position of a range")
	flags.DurationVar(&f.every, "every", 0, "verify again and again, so long after each other, until something is wrong")
	flags.StringVar(&f.url, "url", "", "the log database (STRATA_LOG_URL); reading is enough")
	flags.StringArrayVar(&f.keys, "key", nil, "a public key of the log, or a file of them")
	flags.StringArrayVar(&f.witness, "witness", nil, "a witness's public key, or a file of them: all must have cosigned the newest checkpoint")
	flags.StringVar(&f.remember, "remember", "", "a file of what was seen before, kept elsewhere; made if it is not there")
	flags.StringVar(&f.archive, "archive", "", "compare with an archive (file:///directory or s3://…); keys as of STRATA_ARCHIVE_…")
	return cmd
}

func (c *cli) prove(cmd *cobra.Command, f provingFlags) error {
	cfg, _, err := c.load(cmd.ErrOrStderr())
	if err != nil {
		return err
	}
	if f.url == "" {
		if err := cfg.need("STRATA_LOG_URL"); err != nil {
			return err
		}
		f.url = cfg.LogURL
	}
	if f.from < 0 || f.to < 0 || f.to > 0 && f.from > f.to {
		return usageError{fmt.Errorf("--from %d --to %d is no range of positions", f.from, f.to)}
	}
	trust, err := f.trust(cfg)
	if err != nil {
		return err
	}
	ctx := cmd.Context()
	source, err := postgres.OpenProving(ctx, f.url)
	if err != nil {
		return explain("the event log", f.url, err)
	}
	defer source.Close()
	for {
		report, err := c.proveOnce(cmd, cfg, f, trust, source)
		if err != nil {
			return err
		}
		if err := c.print(cmd.OutOrStdout(), report, func(w io.Writer) error { printProved(w, report); return nil }); err != nil {
			return err
		}
		switch {
		case !report.OK():
			return errTampered
		case f.every <= 0 || !wait(ctx, f.every):
			return ctx.Err()
		}
	}
}

// trust is whose signatures count.
func (f provingFlags) trust(cfg config) (t verifier.Trust, err error) {
	if t.Log, err = verifycli.Keys(f.keys); err != nil {
		return t, usageError{err}
	}
	if t.Witnesses, err = verifycli.Keys(f.witness); err != nil {
		return t, usageError{err}
	}
	t.Quorum = len(t.Witnesses)
	if len(t.Log) > 0 {
		return t, nil
	}
	if t.Log, err = ownKeys(cfg); err != nil {
		return t, usageError{fmt.Errorf("whose signature counts? Give --key, or set STRATA_LEDGER_KEY_FILE: %w", err)}
	}
	return t, nil
}

// ownKeys are the public halves of the keys that this installation signs with.
func ownKeys(cfg config) (keys []verifier.Key, err error) {
	own, err := notekeys.Open(notekeys.Options{File: cfg.ledgerKeyFile(), Name: ledger.KeyName(cfg.Instance)})
	if err != nil {
		return nil, err
	}
	for _, vkey := range own.VKeys {
		k, err := verifier.ParseKey(vkey)
		if err != nil {
			return nil, err
		}
		keys = append(keys, k)
	}
	return keys, nil
}

func (c *cli) proveOnce(cmd *cobra.Command, cfg config, f provingFlags, trust verifier.Trust, source proving.Source) (r proving.Report, err error) {
	ctx := cmd.Context()
	o := proving.Options{Trust: trust, From: f.from, To: f.to, Progress: provingProgress(c.reporter(cmd.ErrOrStderr(), "events"))}
	if f.remember != "" {
		text, err := os.ReadFile(f.remember)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return r, err
		}
		if o.Memory, err = verifier.ParseMemory(string(text), trust); err != nil {
			return r, fmt.Errorf("%s: %w", f.remember, err)
		}
	}
	if f.archive != "" {
		store, err := blob.Open(ctx, f.archive, blob.Credentials{AccessKey: cfg.ArchiveAccessKey, SecretKey: cfg.ArchiveSecretKey})
		if err != nil {
			return r, usageError{fmt.Errorf("--archive: %w", err)}
		}
		archived, err := proving.OpenArchived(ctx, objects{store}, source, trust)
		if err != nil {
			return r, err
		}
		defer archived.Close()
		o.Heads, o.Records, o.Also = archived.Heads, append(o.Records, archived.Record()), archived.Problem
	}
	r, err = proving.Run(ctx, source, o)
	if err != nil || !r.OK() || o.Memory == nil || r.Sealed == 0 {
		return r, err
	}
	if err := o.Memory.Add(r.Newest, r.Note); err != nil {
		return r, err
	}
	return r, replaceFile(f.remember, o.Memory.String())
}

// replaceFile writes a file whole or not at all.
func replaceFile(name, text string) error {
	tmp, err := os.CreateTemp(filepath.Dir(name), "."+filepath.Base(name)+"-*")
	if err != nil {
		return err
	}
	_, err = tmp.WriteString(text)
	if err = errors.Join(err, tmp.Sync(), tmp.Close()); err == nil {
		err = os.Rename(tmp.Name(), name)
	}
	if err != nil {
		return errors.Join(err, os.Remove(tmp.Name()))
	}
	return nil
}

// provingProgress thins out what is reported: a log is read in many small steps.
func provingProgress(show func(progress)) func(done, total int64) {
	started, shown := time.Now(), time.Time{}
	return func(done, total int64) {
		if done < total && time.Since(shown) < time.Second {
			return
		}
		shown = time.Now()
		perSecond := float64(done) / max(time.Since(started).Seconds(), 0.001)
		show(progress{Task: "verify", Phase: "events", Done: done, Total: total, PerSecond: int64(perSecond), ETASeconds: float64(total-done) / max(perSecond, 1)})
	}
}

func printProved(w io.Writer, r proving.Report) {
	took := time.Duration(r.Seconds * float64(time.Second)).Round(time.Millisecond)
	if p := r.Problem; p != nil {
		where := strconv.FormatInt(p.Position, 10)
		if p.Through > p.Position {
			where += " to " + strconv.FormatInt(p.Through, 10)
		}
		fmt.Fprintf(w, "first bad position\t%s\n", where)
		for _, line := range [][2]string{
			{"event", p.EventID},
			{"stream", p.Stream},
			{"organization", p.Organization},
			{"check", p.Check},
			{"against", p.Where},
			{"expected", p.Expected},
			{"found", p.Found},
			{"it looks", p.Looks()},
			{"", p.Detail},
		} {
			if line[1] != "" {
				fmt.Fprintf(w, "%s\t%s\n", line[0], line[1])
			}
		}
		return
	}
	fmt.Fprintf(w, "positions\t%d to %d of %d are as they were recorded\n", r.From, r.To, r.Head)
	fmt.Fprintf(w, "sealed\tup to %d by %d checkpoints of %s\n", r.Sealed, r.Checkpoints, r.Origin)
	if r.Cosigned > 0 {
		fmt.Fprintf(w, "witnessed\tup to %d\n", r.Cosigned)
	}
	fmt.Fprintf(w, "root\t%s\n", r.Root)
	fmt.Fprintf(w, "took\t%s (%d events/s)\n", took, r.PerSecond)
}
