package drill_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"strata.dev/strata/adapters/rabbitmq"
	"strata.dev/strata/app/archive"
	"strata.dev/strata/app/eventlog"
	"strata.dev/strata/app/restore"
	"strata.dev/strata/tests/history"
	"strata.dev/strata/tests/system"
	"strata.dev/strata/tests/testdata/stratml"
	"strata.dev/strata/tests/testenv"
)

// whole asks for the histories that lie beside the repository.
const whole = "whole"

// ciEvents is how many events `go test` drills with.
const ciEvents = 20_000

// phases are how long each part of the drill took.
type phases struct {
	t     *testing.T
	lines []string
}

func (p *phases) done(name string, began time.Time, events int64) {
	took := time.Since(began)
	line := fmt.Sprintf("%-10s %6.1f s", name, took.Seconds())
	if events > 0 {
		line += fmt.Sprintf(" %8d events %8.0f events/s", events, float64(events)/took.Seconds())
	}
	p.lines = append(p.lines, line)
	p.t.Log(line)
}

// All servers are destroyed while commands come in; the archive brings everything
// back that anybody was promised.
func TestTotalLoss(t *testing.T) {
	size := os.Getenv("STRATA_DRILL")
	if size == "" {
		size = strconv.Itoa(ciEvents)
	}
	p := &phases{t: t}
	rabbit, pg := testenv.StartRabbitMQ(t), testenv.StartPostgres(t)
	w := newWorld(t, system.Options{
		Postgres: pg, RabbitMQ: rabbit, Env: archived(t, nil), Queues: []string{"team.plans"},
		Unsound: "its servers are destroyed; fsck looks at the new ones",
	})

	began := time.Now()
	w.fill(size)
	p.done("fill", began, w.head)
	began = time.Now()
	before := w.remember()
	p.done("remember", began, before.position)
	team := w.Consume(t, "team.plans")
	team.Await(t, before.position, patience)

	// Load, and in the middle of it the end.
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	following := w.follow(ctx)
	load := w.write(ctx, 8)
	testenv.Eventually(t, patience, "commands are acknowledged as archived", func() error {
		if n := len(load.archived()); n < 40 {
			return fmt.Errorf("%d are", n)
		}
		return nil
	})
	began = time.Now()
	if err := errors.Join(pg.Kill(), rabbit.Kill()); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(os.RemoveAll(pg.Dir()), os.RemoveAll(rabbit.Dir())); err != nil {
		t.Fatal(err)
	}
	stop()
	load.over.Wait()
	following.over.Wait()
	w.service.Kill()
	had := team.Has()
	p.done("destroy", began, 0)
	promised := load.archived()
	t.Logf("%d commands were acknowledged, %d as archived; another team had everything up to position %d; the log was seen up to %d",
		len(load.acks), len(promised), had, following.len())

	// Nothing is left but the archive, and keys.
	began = time.Now()
	newRabbit, newPG := testenv.StartRabbitMQ(t), testenv.StartPostgres(t)
	w.Move(newPG, newRabbit)
	w.run(nil, "migrate", "up")
	p.done("servers", began, 0)
	began = time.Now()
	killed := w.interrupted()
	var report restore.Report
	w.run(&report, "restore", "log", "--reason", "The drill destroyed everything.")
	p.done("restore", began, report.Compared+report.Restored)
	t.Logf("the restore that was killed had written %d positions; %.0f events/s while writing", killed, report.PerSecond)
	if report.Compared != killed || report.Head != report.Compared+report.Restored || report.Began == nil || report.Began.Number != 2 || report.Began.First != report.Head+1 {
		t.Fatalf("restored: %+v, epoch %+v", report, report.Began)
	}
	w.sameLog(before, report, following, promised)

	// The service comes up and builds what follows the log.
	began = time.Now()
	w.service = w.Service(nil)
	w.service.Start()
	w.service.Ready()
	first := w.announced("team.plans")
	head := w.settle()
	p.done("rebuild", began, head)
	w.nothingAgain(report, first, head)
	began = time.Now()
	w.sameModels(before)
	p.done("compare", began, before.position)

	// The other team undoes what the log does not have any more, as the epoch tells
	// it to, asks for what it lacks, and goes on.
	had = min(had, report.Head)
	w.run(nil, "relay", "replay", "--from", fmt.Sprint(had+1), "--queue", "team.plans")
	again := w.Consume(t, "team.plans")
	testenv.Eventually(t, patience, "the team has what it lacked", func() error {
		got := map[int64]bool{}
		for _, d := range again.Deliveries(t) {
			got[d.Position] = true
		}
		for at := had + 1; at <= head; at++ {
			if !got[at] {
				return fmt.Errorf("position %d is missing of %d to %d; %d have come", at, had+1, head, len(got))
			}
		}
		return nil
	})

	// What was acknowledged is acknowledged again, and new commands are archived in the new epoch.
	for _, ack := range promised[:min(20, len(promised))] {
		answer, err := w.Client(w.service.Base, "ines").Do(t.Context(), ack.request)
		if err != nil || !answer.Replayed || answer.Position != ack.position {
			t.Errorf("a command repeated after the restore: %+v, %v; it was at position %d", answer, err, ack.position)
		}
	}
	w.define("Afterwards", "afterwards", nil)
	w.settle()
	if epoch, err := archive.LastEpoch(t.Context(), w.store); err != nil || epoch != 2 {
		t.Errorf("the archive is in epoch %d, %v", epoch, err)
	}
	w.Verify(t)
	w.Fsck(t)
	t.Logf("the drill with %d events:\n%s", before.position, strings.Join(p.lines, "\n"))
}

// fill records real histories, and values up to a number of events.
func (w *world) fill(size string) {
	w.t.Helper()
	root, err := system.Root()
	if err != nil {
		w.t.Fatal(err)
	}
	path, most := filepath.Join(root, "tests/testdata/sdg/changes.jsonl.gz"), int64(0)
	if size == whole {
		path = filepath.Join(root, "../shared/sdg/uk/changes.jsonl.gz")
	} else if most, err = strconv.ParseInt(size, 10, 64); err != nil {
		w.t.Fatalf("STRATA_DRILL: %v", err)
	}
	changes, err := history.ReadChanges(path)
	if err != nil {
		w.t.Fatal(err)
	}
	w.importDocument(stratml.AlbaniaShaped())
	w.replay(changes)
	for n := 0; w.head < most; n++ {
		id := w.define("Values", fmt.Sprintf("Series %d", n), nil)
		items := make([]map[string]any, min(batch, most-w.head))
		for i := range items {
			date := time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC).AddDate(0, 0, -i).Format(time.DateOnly)
			items[i] = map[string]any{"indicatorId": id, "record": map[string]any{"period": map[string]string{"start": date, "end": date}, "value": fmt.Sprintf("%d.%d", i, n)}}
		}
		w.measure(items)
	}
}

// interrupted begins to restore and is killed in the middle; it gives how many
// positions were written.
func (w *world) interrupted() (written int64) {
	w.t.Helper()
	cmd := exec.CommandContext(w.t.Context(), system.Binary(w.t), "restore", "log", "--reason", "first attempt", "--progress", "json")
	cmd.Env = w.Environ(nil)
	said, err := cmd.StderrPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		w.t.Fatal(err)
	}
	text, part := "", make([]byte, 4096)
	for !strings.Contains(text, `"phase":"restore"`) {
		n, err := said.Read(part)
		if text += string(part[:n]); err != nil {
			w.t.Fatalf("the restore ended before it could be killed: %v\n%s", err, text)
		}
	}
	if err := cmd.Process.Kill(); err != nil {
		w.t.Fatal(err)
	}
	_ = cmd.Wait() // it was killed
	log := w.copyOf()
	defer log.Close()
	if written, err = log.Head(w.t.Context()); err != nil || written == 0 {
		w.t.Fatalf("killed at position %d, %v", written, err)
	}
	// Half a log is no log: nobody opens it.
	if err := w.try(nil, "epoch", "status"); err == nil || !strings.Contains(err.Error(), "restore log") {
		w.t.Errorf("half a log was opened: %v", err)
	}
	return written
}

// sameLog proves that the restored log is a prefix of the one that was, that it has
// everything that was promised, and that every entity at the position that was
// remembered is what it was.
func (w *world) sameLog(before known, r restore.Report, was *tail, promised []acknowledged) {
	w.t.Helper()
	log := w.copyOf()
	defer log.Close()
	leaves := make([]archive.Hash, 0, r.Head+1)
	err := restore.FromLog(log)(w.t.Context(), restore.Until{}, func(e *eventlog.Event) error {
		leaves = append(leaves, eventlog.LeafHash(e))
		return nil
	})
	if err != nil {
		w.t.Fatal(err)
	}
	if int64(len(leaves)) != r.Head+1 {
		w.t.Fatalf("the log has %d positions: %d of the archive and the beginning of the epoch were to be", len(leaves), r.Head)
	}
	for i := range min(len(was.leaves), int(r.Head)) {
		if leaves[i] != was.leaves[i] {
			w.t.Fatalf("position %d is not what it was", i+1)
		}
	}
	last := int64(0)
	for _, ack := range promised {
		if last = max(last, ack.position); ack.position > r.Head {
			w.t.Errorf("position %d was acknowledged as archived, and the log was restored to %d", ack.position, r.Head)
		}
	}
	if last > int64(len(was.leaves)) {
		w.t.Logf("positions %d to %d were promised and never seen in the old log: they are compared by their answers", len(was.leaves)+1, last)
	}
	if states, root := w.fold(restore.FromLog(log), before.position); root != before.root || states.Digest != before.states.Digest || states.SHA256 != before.states.SHA256 {
		w.t.Errorf("at position %d: root %s, states %s of %d entities; it was %s, %s of %d", before.position, root, states.Digest, len(states.States), before.root, before.states.Digest, len(before.states.States))
	}
}

// announced binds a queue and gives the position of the first message in it.
func (w *world) announced(queue string) (first int64) {
	w.t.Helper()
	w.Bind(w.t, queue)
	testenv.Eventually(w.t, patience, "the epoch is announced", func() error {
		conn, err := amqp.Dial(w.AMQP)
		if err != nil {
			return err
		}
		defer conn.Close() // gives back what was looked at
		ch, err := conn.Channel()
		if err != nil {
			return err
		}
		m, ok, err := ch.Get(queue, false)
		if err != nil || !ok {
			return fmt.Errorf("nothing has come, %w", err)
		}
		position, _ := m.Headers[rabbitmq.HeaderPosition].(string)
		if m.Headers[rabbitmq.HeaderReplay] != nil || !strings.Contains(string(m.Body), `"epoch":"2"`) {
			return fmt.Errorf("the first message: %v %s", m.Headers, m.Body)
		}
		first, err = strconv.ParseInt(position, 10, 64)
		return err
	})
	return first
}

// nothingAgain proves that nothing was announced, and nothing done, a second time.
func (w *world) nothingAgain(r restore.Report, first, head int64) {
	w.t.Helper()
	if first != r.Head+1 {
		w.t.Errorf("position %d was announced first: the history before %d was to be announced to nobody", first, r.Head+1)
	}
	log := w.copyOf()
	defer log.Close()
	since, err := log.Read(w.t.Context(), r.Head, 100)
	if err != nil || len(since) != 1 || since[0].Type != "journal.epoch-started" || head != r.Head+1 {
		for _, e := range since {
			w.t.Logf("position %d: %s %s", e.Position, e.Type, e.StreamID)
		}
		w.t.Errorf("after everything has followed the log it has %d events more than the archive, %v: processes or imports did something again", len(since), err)
	}
}

// sameModels builds both read models as of the position that was remembered, and
// compares; what is live now is compared with the log.
func (w *world) sameModels(before known) {
	w.t.Helper()
	for name, want := range before.models {
		var built struct {
			Position int64 `json:",string"`
			Digest   string
		}
		w.run(&built, "restore", "model", name, "--at", fmt.Sprint(before.position), "--to", w.emptyDatabase("drill_"+name))
		if built.Position != before.position || built.Digest != want {
			w.t.Errorf("%s at position %d is %s, it was %s", name, built.Position, built.Digest, want)
		}
	}
}
