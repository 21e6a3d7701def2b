package process_test

import (
	"context"
	"errors"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"strata.dev/strata/app/command"
	"strata.dev/strata/app/process"
)

// tell tells the whole story to whoever listens.
func (s *story) tell(listen func()) {
	s.t.Helper()
	for _, c := range chapters {
		c.tell(s)
		listen()
	}
}

func (w *world) head() int64 {
	w.t.Helper()
	head, err := w.log.Head(w.t.Context())
	if err != nil {
		w.t.Fatal(err)
	}
	return head
}

// TestToldAgain gives the whole log once more to a new instance, to two at
// once, and to one after the timers are lost; and rebuilds the read model that
// the processes ask. Nothing comes of any of it.
func TestToldAgain(t *testing.T) {
	w := newWorld(t)
	s := w.newStory()
	first, p := &reader{w: w}, w.runner(nil)
	s.tell(func() {
		from := first.cursor
		first.mustPump(p)
		again := &reader{w: w, cursor: from} // every batch comes twice, too
		again.mustPump(p)
		first.cursor = again.cursor
	})
	s.checkEnd(t)
	before, head := s.effects(), w.head()
	unchanged := func(what string) {
		t.Helper()
		if diff := cmp.Diff(before, s.effects()); diff != "" || w.head() != head {
			t.Errorf("%s: %d more events; effects (-before +after):\n%s", what, w.head()-head, diff)
		}
	}
	(&reader{w: w}).mustPump(w.runner(nil))
	unchanged("a cursor that was set back")

	var both sync.WaitGroup
	for range 2 {
		both.Go(func() {
			if err := (&reader{w: w}).pump(w.runner(nil)); err != nil {
				t.Error(err)
			}
		})
	}
	both.Wait()
	unchanged("two instances")

	if err := w.plans.Rebuild(t.Context(), w.log, nil); err != nil {
		t.Fatal(err)
	}
	first.mustPump(p)
	unchanged("a read model that was rebuilt")

	if _, err := w.sql.Exec(t.Context(), `DELETE FROM timers`); err != nil {
		t.Fatal(err)
	}
	(&reader{w: w}).mustPump(w.runner(nil))
	// Those that were cancelled while they waited may be tried and find nothing.
	if w.head() != head {
		t.Errorf("timers that were lost: %d more events", w.head()-head)
	}
}

// TestTwoInstancesFromTheStart lets two instances take everything side by side,
// as when a leader does not know yet that it is none any more.
func TestTwoInstancesFromTheStart(t *testing.T) {
	w := newWorld(t)
	s := w.newStory()
	before := effects{}
	readers := []*reader{{w: w}, {w: w}}
	runners := []*process.Runner{w.runner(nil), w.runner(nil)}
	for _, c := range chapters {
		c.tell(s)
		var both sync.WaitGroup
		for i := range readers {
			both.Go(func() {
				if err := readers[i].pump(runners[i]); err != nil {
					t.Error(err)
				}
			})
		}
		both.Wait()
		now := s.effects()
		if diff := cmp.Diff(sorted(c.after), now.since(before)); diff != "" {
			t.Fatalf("%s: effects (-want +got):\n%s", c.name, diff)
		}
		before = now
	}
	s.checkEnd(t)
}

// crash makes instances die at commands: before they are given, or after they
// were recorded, when nobody has heard of that. Nobody dies twice at the same one.
type crash struct {
	every, from int // command from, from+every, from+2·every …, counted from 0; every 0 = none
	before      bool

	seen map[uuid.UUID]bool
}

var errDied = errors.New("the process died")

func (c *crash) wrap(u process.UseCases) process.UseCases {
	u.Organizations = dying(c, u.Organizations)
	u.Strategies = dying(c, u.Strategies)
	u.Indicators = dying(c, u.Indicators)
	u.Findings = dying(c, u.Findings)
	u.Sources = dying(c, u.Sources)
	return u
}

// dies says whether an instance is to die at a command, and counts it.
func (c *crash) dies(command uuid.UUID) bool {
	n := len(c.seen)
	if c.seen[command] {
		return false
	}
	c.seen[command] = true
	return c.every > 0 && n%c.every == c.from
}

type mortal[C any] struct {
	*crash
	next process.Executor[C]
}

func dying[C any](c *crash, next process.Executor[C]) process.Executor[C] { return mortal[C]{c, next} }

func (m mortal[C]) Execute(ctx context.Context, call command.Call, id uuid.UUID, commands ...C) (command.Result, error) {
	dies := m.dies(call.CommandID)
	if dies && m.before {
		return command.Result{}, errDied
	}
	r, err := m.next.Execute(ctx, call, id, commands...)
	if dies {
		return command.Result{}, errDied
	}
	return r, err
}

// listen tells the story to instances that crash; each time another one goes on
// from the last cursor. It gives how often that was, and how many commands there were.
func (w *world) listen(s *story, c *crash) (deaths, commands int) {
	w.t.Helper()
	c.seen = map[uuid.UUID]bool{}
	r, p := &reader{w: w, cursor: w.head()}, w.runner(c.wrap)
	s.tell(func() {
		for {
			err := r.pump(p)
			if err == nil {
				return
			}
			if !errors.Is(err, errDied) {
				w.t.Fatal(err)
			}
			if deaths++; deaths > 100 {
				w.t.Fatal("nobody gets beyond a command that somebody died at")
			}
			p = w.runner(c.wrap)
		}
	})
	return deaths, len(c.seen)
}

// TestCrashes lets instances die at each of their commands: before it, and after
// it was recorded but before anybody heard of it. What is there in the end is
// the same as without, however often they died.
func TestCrashes(t *testing.T) {
	w := newWorld(t)
	reference := w.newStory()
	_, commands := w.listen(reference, &crash{})
	reference.checkEnd(t)
	want := reference.effects()
	if commands < 15 {
		t.Fatalf("the story takes %d commands", commands)
	}
	total := 0
	try := func(c *crash) {
		t.Helper()
		s := w.newStory()
		deaths, _ := w.listen(s, c)
		total += deaths
		if diff := cmp.Diff(want, s.effects()); diff != "" || deaths < commands/c.every {
			t.Errorf("died %d times (%+v): effects (-want +got):\n%s", deaths, *c, diff)
		}
		s.checkEnd(t)
	}
	// Each command is the one that somebody dies at, alone: the next one that dies does so several commands later.
	const apart = 4
	for n := range apart {
		try(&crash{every: apart, from: n})
	}
	if total != commands {
		t.Errorf("died %d times at %d commands", total, commands)
	}
	try(&crash{every: 1})
	try(&crash{every: 1, before: true})
}
