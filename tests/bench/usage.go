package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// usage is processor time, user and system.
type usage struct{ broker, postgres, self time.Duration }

// usage is what the servers and this process have used so far, as Linux counts
// it (in hundredths of a second); elsewhere it is nothing.
func (s *servers) usage() (u usage) {
	u.broker, _ = processorTime(strconv.Itoa(s.mq.PID()), false)
	u.self, _ = processorTime("self", false)
	postmaster := strconv.Itoa(s.pg.PID())
	u.postgres, _ = processorTime(postmaster, true)
	processes, _ := filepath.Glob("/proc/[0-9]*") // the only error is a bad pattern
	for _, dir := range processes {
		if t, parent := processorTime(filepath.Base(dir), false); parent == postmaster {
			u.postgres += t
		}
	}
	return u
}

// per is the time since before for each of n events, as milliseconds for 1,000.
func (u usage) per(before usage, n int64) string {
	if n == 0 || u.broker == before.broker {
		return "–"
	}
	each := func(d time.Duration) float64 { return d.Seconds() * 1e6 / float64(n) }
	broker, postgres, self := each(u.broker-before.broker), each(u.postgres-before.postgres), each(u.self-before.self)
	return fmt.Sprintf("%.0f + %.0f + %.0f = **%.0f ms**", broker, postgres, self, broker+postgres+self)
}

// append is per for what no broker takes part in.
func (u usage) append(before usage, n int64) string {
	if n == 0 || u.self == before.self {
		return "–"
	}
	each := func(d time.Duration) float64 { return d.Seconds() * 1e6 / float64(n) }
	postgres, self := each(u.postgres-before.postgres), each(u.self-before.self)
	return fmt.Sprintf("%.0f + %.0f = **%.0f ms**", postgres, self, postgres+self)
}

// processorTime is a process's, and with children that of those that have ended.
func processorTime(pid string, children bool) (used time.Duration, parent string) {
	body, err := os.ReadFile("/proc/" + pid + "/stat")
	if err != nil {
		return 0, "" // it has ended, or this is no Linux
	}
	// Behind the name, which may hold anything: state, parent … utime, stime, and both of ended children.
	fields := strings.Fields(string(body[strings.LastIndexByte(string(body), ')')+1:]))
	const parentAt, utime, ctime, end = 1, 11, 13, 15
	if len(fields) < end {
		return 0, ""
	}
	last := ctime
	if children {
		last = end
	}
	for _, f := range fields[utime:last] {
		if ticks, err := strconv.ParseInt(f, 10, 64); err == nil {
			used += time.Duration(ticks) * 10 * time.Millisecond
		}
	}
	return used, fields[parentAt]
}
