package embedded

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"time"
)

// process is one child server. It leads its own process group, so that the
// terminal's Ctrl-C reaches only us and we stop it in our order.
type process struct {
	cmd  *exec.Cmd
	done chan struct{} // closed when the child has ended and was waited for
	err  error         // how it ended; read it after done
}

// startProcess starts cmd. death is the signal the kernel sends to the child
// when this process dies without having stopped it.
func startProcess(cmd *exec.Cmd, death syscall.Signal) (*process, error) {
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	cmd.SysProcAttr.Setpgid = true
	setParentDeathSignal(cmd.SysProcAttr, death)
	p := &process{cmd: cmd, done: make(chan struct{})}
	started := make(chan error, 1)
	go p.supervise(started)
	if err := <-started; err != nil {
		return nil, err
	}
	return p, nil
}

// supervise starts the child and waits for it on one operating system thread:
// to the kernel the "parent" of the death signal is that thread, and one that
// the Go runtime may end at will would take the server with it.
func (p *process) supervise(started chan<- error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	defer close(p.done)
	if err := p.cmd.Start(); err != nil {
		started <- err
		return
	}
	started <- nil
	p.err = p.cmd.Wait()
}

func (p *process) running() bool {
	if p == nil {
		return false
	}
	select {
	case <-p.done:
		return false
	default:
		return true
	}
}

// stop asks the child to end with sig and waits; when ctx ends first, the
// child is killed and ctx's error returned.
func (p *process) stop(ctx context.Context, sig syscall.Signal) error {
	if !p.running() {
		return nil
	}
	if err := p.cmd.Process.Signal(sig); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("signal process %d: %w", p.cmd.Process.Pid, err)
	}
	select {
	case <-p.done:
		return nil
	case <-ctx.Done():
		p.kill()
		return fmt.Errorf("process %d did not end on %s and was killed: %w", p.cmd.Process.Pid, sig, ctx.Err())
	}
}

// kill ends the child's whole group at once and waits for the child.
func (p *process) kill() {
	if p == nil {
		return
	}
	// ESRCH: everything has ended already, which is what is wanted.
	_ = syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL)
	<-p.done
}

// pollEvery is how often a condition outside this process is looked at.
const pollEvery = 20 * time.Millisecond

// waitFor calls cond until it returns true or an error, or ctx ends.
func waitFor(ctx context.Context, cond func() (bool, error)) error {
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	for {
		ok, err := cond()
		if ok || err != nil {
			return err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// endAll ends processes nobody waits for: first with sig, after patience with
// SIGKILL, and returns when list finds none of them any more. Servers left over
// from a killed parent and the children of a killed server are of this kind.
func endAll(ctx context.Context, list func() ([]int, error), sig syscall.Signal, patience time.Duration) error {
	patient, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	gone := func(sig syscall.Signal) func() (bool, error) {
		told := map[int]bool{}
		return func() (bool, error) {
			pids, err := list()
			for _, pid := range pids {
				if !told[pid] {
					told[pid] = true
					_ = syscall.Kill(pid, sig) // ESRCH: it ended meanwhile
				}
			}
			return len(pids) == 0, err
		}
	}
	err := waitFor(patient, gone(sig))
	if err == nil || ctx.Err() != nil || !errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	final, cancelFinal := context.WithTimeout(ctx, 10*time.Second)
	defer cancelFinal()
	return waitFor(final, gone(syscall.SIGKILL))
}
