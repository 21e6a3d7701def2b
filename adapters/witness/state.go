package witness

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// seen is the largest checkpoint of a log that was cosigned.
type seen struct {
	Size int64  `json:"size,string"`
	Root string `json:"root"` // base64, as in a checkpoint
	Note string `json:"note"`
}

// state is what a witness remembers, by origin, in one file. Its user makes sure
// that one at a time uses it.
type state struct {
	path string
	lock *os.File
	logs map[string]seen
}

// openState locks and reads a state file. A file that is not there is a witness
// that has seen nothing; one that cannot be understood is an error: to begin anew
// would be to cosign a fork.
func openState(path string) (*state, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, fmt.Errorf("witness state: %w", err)
	}
	lock, err := os.OpenFile(path+".lock", os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("witness state: %w", err)
	}
	s := &state{path: path, lock: lock, logs: map[string]seen{}}
	if err := s.read(); err != nil {
		return nil, errors.Join(fmt.Errorf("witness state: %w", err), lock.Close())
	}
	return s, nil
}

func (s *state) read() error {
	if err := exclusive(s.lock); err != nil {
		return fmt.Errorf("%s is used by another process: %w", s.path, err)
	}
	text, err := os.ReadFile(s.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if err := json.Unmarshal(text, &s.logs); err != nil {
		return fmt.Errorf("%s cannot be understood (%w). It says what was cosigned: restore it, do not remove it", s.path, err)
	}
	return nil
}

// put remembers a checkpoint: when it returns nil, a crash does not take it back.
func (s *state) put(origin string, next seen) error {
	before, had := s.logs[origin]
	s.logs[origin] = next
	if err := s.write(); err != nil {
		if delete(s.logs, origin); had {
			s.logs[origin] = before
		}
		return fmt.Errorf("witness state: %w", err)
	}
	return nil
}

func (s *state) write() (err error) {
	text, err := json.MarshalIndent(s.logs, "", "\t")
	if err != nil {
		return err
	}
	dir := filepath.Dir(s.path)
	f, err := os.CreateTemp(dir, ".witness-*") // mode 0600
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(f.Name()))
		}
	}()
	_, err = f.Write(append(text, '\n'))
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := os.Rename(f.Name(), s.path); err != nil {
		return err
	}
	return syncFolder(dir)
}

// syncFolder makes a rename last.
func syncFolder(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

func (s *state) close() error { return s.lock.Close() }
