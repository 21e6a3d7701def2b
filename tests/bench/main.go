package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"
	"runtime/debug"
	"strings"
	"syscall"
	"time"
)

// bench is one run of the whole program.
type bench struct {
	servers        *servers
	reps           int
	warm, duration time.Duration
	tables         []*table
	targets        *table
	missed         int
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	var err error
	if dsn := os.Getenv(plainServerURL); dsn != "" {
		err = servePlain(ctx, dsn, os.Getenv("BENCH_PLAIN_SERVER_PORT"))
	} else {
		err = run(ctx, os.Stdout)
	}
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, out io.Writer) error {
	dir := flag.String("dir", ".strata/bench", "where the private servers live")
	only := flag.String("only", "", "sections to run, separated by commas (default: all)")
	b := &bench{targets: &table{title: "Targets", header: []string{"target", "wanted", "measured", ""}}}
	flag.IntVar(&b.reps, "reps", 3, "repetitions; the median is reported")
	flag.DurationVar(&b.duration, "duration", 4*time.Second, "length of one timed run")
	flag.Parse()
	debug.SetGCPercent(300) // as the service does; rivals in this process have it, too
	b.warm = min(b.duration/4, time.Second)

	var err error
	if b.servers, err = startServers(ctx, *dir); err != nil {
		return err
	}
	defer b.servers.stop(context.WithoutCancel(ctx))
	fmt.Fprintf(out, "%s/%s, %d CPUs, %s, PostgreSQL %s, medians of %d runs of %s\n",
		runtime.GOOS, runtime.GOARCH, runtime.NumCPU(), runtime.Version(), b.servers.pg.Version(), b.reps, b.duration)

	for _, section := range []struct {
		name string
		run  func(context.Context) error
	}{
		{"latency", b.benchLatency}, // first: what the others leave to be vacuumed would be in its tail
		{"append", b.benchAppend},
		{"ledger", b.benchLedger},
		{"relay", b.benchRelay},
		{"poll", b.benchPoll},
		{"rebuild", b.benchRebuild},
		{"http", b.benchHTTP},
		{"idle", b.benchIdle},
	} {
		if *only != "" && !strings.Contains(","+*only+",", ","+section.name+",") {
			continue
		}
		done := len(b.tables)
		start := time.Now()
		if err := section.run(ctx); err != nil {
			return fmt.Errorf("%s: %w", section.name, err)
		}
		for _, t := range b.tables[done:] {
			t.print(out)
		}
		fmt.Fprintf(os.Stderr, "bench: %s took %s\n", section.name, time.Since(start).Round(time.Second))
	}
	b.targets.print(out)
	if b.missed > 0 {
		return errors.New("a target was missed: see the last table")
	}
	return nil
}

// table starts a new table.
func (b *bench) table(title string, header ...string) *table {
	t := &table{title: title, header: header}
	b.tables = append(b.tables, t)
	return t
}

// target records whether got reaches at least want.
func (b *bench) target(name string, got, want float64) {
	b.judge(name, fmt.Sprintf("≥ %.4g", want), fmt.Sprintf("%.4g", got), got >= want)
}

// bound records whether got stays at or below most.
func (b *bench) bound(name string, got, most float64) {
	b.judge(name, fmt.Sprintf("≤ %.4g", most), fmt.Sprintf("%.4g", got), got <= most)
}

func (b *bench) judge(name, want, got string, ok bool) {
	verdict := "met"
	if !ok {
		verdict, b.missed = "**missed**", b.missed+1
	}
	b.targets.row(name, want, got, verdict)
}
