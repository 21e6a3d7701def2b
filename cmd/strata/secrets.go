package main

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sync"
)

// secrets are the generated passwords of a private installation, in one file
// that only its owner can read. Safe for concurrent use.
type secrets struct {
	mu   sync.Mutex
	file string
	data struct {
		Passwords map[string]string `json:"passwords"`
		Done      map[string]bool   `json:"done"` // steps that need no repetition
	}
}

func openSecrets(file string) (*secrets, error) {
	s := &secrets{file: file}
	body, err := os.ReadFile(file)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("read the credentials: %w", err)
	}
	if err == nil {
		if err := json.Unmarshal(body, &s.data); err != nil {
			return nil, fmt.Errorf("%s is damaged (%w): remove it, and new passwords will be set", file, err)
		}
	}
	if s.data.Passwords == nil {
		s.data.Passwords = map[string]string{}
	}
	if s.data.Done == nil {
		s.data.Done = map[string]bool{}
	}
	return s, nil
}

// get gives the password of name, a new one the first time.
func (s *secrets) get(name string) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if p := s.data.Passwords[name]; p != "" {
		return p, nil
	}
	p := rand.Text()
	s.data.Passwords[name] = p
	return p, s.write()
}

func (s *secrets) done(step string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.data.Done[step]
}

func (s *secrets) markDone(step string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.data.Done[step] = true
	return s.write()
}

// write replaces the file whole, so that a crash leaves the old or the new one.
func (s *secrets) write() error {
	body, err := json.MarshalIndent(s.data, "", "  ")
	if err != nil {
		return err
	}
	if err := os.WriteFile(s.file+".new", body, 0o600); err != nil {
		return fmt.Errorf("write the credentials: %w", err)
	}
	if err := os.Rename(s.file+".new", s.file); err != nil {
		return fmt.Errorf("write the credentials: %w", err)
	}
	return nil
}
