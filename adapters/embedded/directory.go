package embedded

import (
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

// directory is where one server lives: data, configuration, password, log, ports.
type directory struct {
	path string
	lock *os.File // held from Start to Stop; the kernel releases it if we are killed
}

// openDirectory creates the directory if needed. Everybody may enter it (the
// user PostgreSQL runs as has to) but only its owner may look around.
func openDirectory(path string) (directory, error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return directory{}, err
	}
	if err := os.MkdirAll(abs, 0o755); err != nil {
		return directory{}, err
	}
	// A left-over process is recognized by the path the kernel knows it by.
	if abs, err = filepath.EvalSymlinks(abs); err != nil {
		return directory{}, err
	}
	if err := os.Chmod(abs, 0o711); err != nil {
		return directory{}, err
	}
	return directory{path: abs}, nil
}

func (d *directory) file(name string) string { return filepath.Join(d.path, name) }

// acquire makes this process the only one that runs a server here. Without it a
// second start would take the first one's server for a left-over and stop it.
func (d *directory) acquire(what string) error {
	if d.lock != nil {
		return nil
	}
	f, err := os.OpenFile(d.file("lock"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		owner, _ := os.ReadFile(d.file("lock")) // best effort: only for the message
		err = errors.Join(err, f.Close())
		return &Problem{
			Kind: ErrInUse, What: what, Err: err,
			Why:  fmt.Sprintf("%s is in use by process %s", d.path, strings.TrimSpace(string(owner))),
			Next: "Stop that one or use another directory",
		}
	}
	d.lock = f
	if err := f.Truncate(0); err != nil {
		return errors.Join(err, d.release())
	}
	if _, err := f.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"), 0); err != nil {
		return errors.Join(err, d.release())
	}
	return nil
}

func (d *directory) release() error {
	if d.lock == nil {
		return nil
	}
	err := d.lock.Close()
	d.lock = nil
	return err
}

// secret returns the named secret, made up at the first call and kept in a file
// that only its owner can read. Root has given it to uid, gid (0: left alone).
func (d *directory) secret(name string, uid, gid int) (string, error) {
	b, err := os.ReadFile(d.file(name))
	if errors.Is(err, os.ErrNotExist) {
		b = []byte(rand.Text())
		err = writeFile(d.file(name), b, 0o600)
	}
	if err == nil && uid != 0 {
		err = os.Chown(d.file(name), uid, gid)
	}
	return strings.TrimSpace(string(b)), err
}

// writeFile replaces the file in one step, so that a kill leaves the old or the
// new content, never half of it.
func writeFile(path string, content []byte, mode os.FileMode) error {
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	err = errors.Join(err, f.Chmod(mode), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return nil
}

// openLog opens the server's console log; what the last run wrote is kept aside
// once, so that a failed start can be looked into without growing for ever.
func (d *directory) openLog(name string) (*os.File, error) {
	path := d.file(name)
	if err := os.Rename(path, path+".1"); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	return os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
}

// severity is what PostgreSQL and Erlang begin a line with, time and process included.
var severity = regexp.MustCompile(`^.*?(?:LOG|ERROR|FATAL|PANIC|\[error\])(?::\s+|\s+<\S+>\s+)`)

// tellingLine finds the line of a log that says best why a server gave up: the
// last one with the first of the words that occurs at all, or the very last.
func (d *directory) tellingLine(name string, words ...string) string {
	b, err := os.ReadFile(d.file(name))
	if err != nil {
		return "no log: " + err.Error()
	}
	lines := strings.Split(strings.TrimSpace(string(b)), "\n")
	line := lines[len(lines)-1]
search:
	for _, w := range words {
		for _, l := range slices.Backward(lines) {
			if strings.Contains(l, w) {
				line = l
				break search
			}
		}
	}
	return strings.TrimSuffix(strings.TrimSpace(severity.ReplaceAllString(line, "")), ".")
}
