package main

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// sample is the outcome of one timed run.
type sample struct {
	perSecond float64
	p50, p99  time.Duration
	used      string // processor time per 1,000 events, where it is measured
}

// closedLoop runs clients workers that each call do as fast as it returns, for
// warm (not counted) and then for d. do gets the worker's number and the
// worker's own running count.
func closedLoop(ctx context.Context, clients int, warm, d time.Duration, do func(ctx context.Context, worker, n int) error) (sample, error) {
	var phase atomic.Int32 // 0 warming, 1 counting, 2 over
	latencies := make([][]time.Duration, clients)
	errs := make(chan error, clients)
	var wg sync.WaitGroup
	for w := range clients {
		wg.Go(func() {
			for n := 0; phase.Load() < 2; n++ {
				counted := phase.Load() == 1
				start := time.Now()
				if err := do(ctx, w, n); err != nil {
					errs <- fmt.Errorf("client %d, call %d: %w", w, n, err)
					return
				}
				if counted && phase.Load() == 1 {
					latencies[w] = append(latencies[w], time.Since(start))
				}
			}
		})
	}
	<-time.After(warm)
	phase.Store(1)
	start := time.Now()
	select {
	case <-time.After(d):
	case err := <-errs:
		phase.Store(2)
		wg.Wait()
		return sample{}, err
	}
	elapsed := time.Since(start)
	phase.Store(2)
	wg.Wait()
	select {
	case err := <-errs:
		return sample{}, err
	default:
	}
	all := slices.Concat(latencies...)
	return sample{
		perSecond: float64(len(all)) / elapsed.Seconds(),
		p50:       percentile(all, 0.50),
		p99:       percentile(all, 0.99),
	}, nil
}

// openLoop calls do perSecond times a second for d, each in its own goroutine,
// whether or not earlier calls have returned, and waits for all of them. It is
// the load of independent users: a slow system does not slow it down.
func openLoop(ctx context.Context, perSecond int, d time.Duration, do func(ctx context.Context, n int) error) error {
	total := int(d.Seconds() * float64(perSecond))
	errs := make(chan error, total)
	start := time.Now()
	var wg sync.WaitGroup
	for n := range total {
		due := start.Add(time.Duration(n) * time.Second / time.Duration(perSecond))
		select {
		case <-time.After(time.Until(due)):
		case <-ctx.Done():
			return ctx.Err()
		}
		wg.Go(func() {
			if err := do(ctx, n); err != nil {
				errs <- err
			}
		})
	}
	wg.Wait()
	close(errs)
	return <-errs
}

// percentile sorts durations and gives the q-quantile; 0 of none.
func percentile(durations []time.Duration, q float64) time.Duration {
	if len(durations) == 0 {
		return 0
	}
	slices.Sort(durations)
	return durations[min(len(durations)-1, int(q*float64(len(durations))))]
}

// median of the samples by throughput; its own latencies go with it.
func median(samples []sample) sample {
	slices.SortFunc(samples, func(a, b sample) int {
		switch {
		case a.perSecond < b.perSecond:
			return -1
		case a.perSecond > b.perSecond:
			return 1
		}
		return 0
	})
	return samples[len(samples)/2]
}

// rival is one thing that is measured; setup has been done.
type rival struct {
	name string
	run  func(ctx context.Context) (sample, error)
}

// interleave runs every rival once per repetition, in turn, and gives each one's median.
func interleave(ctx context.Context, reps int, rivals []rival) (map[string]sample, error) {
	samples := map[string][]sample{}
	for range reps {
		for _, r := range rivals {
			s, err := r.run(ctx)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", r.name, err)
			}
			samples[r.name] = append(samples[r.name], s)
		}
	}
	out := map[string]sample{}
	for name, s := range samples {
		out[name] = median(s)
	}
	return out, nil
}
