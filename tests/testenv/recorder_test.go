package testenv_test

import (
	"fmt"
	"runtime"
	"testing"
)

// recorder is a testing.TB that remembers a failure instead of failing.
type recorder struct {
	testing.TB
	fatal string
}

func (r *recorder) Helper() {}

func (r *recorder) Fatalf(format string, args ...any) {
	r.fatal = fmt.Sprintf(format, args...)
	runtime.Goexit()
}
