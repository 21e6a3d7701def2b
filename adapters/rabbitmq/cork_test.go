package rabbitmq

import (
	"bytes"
	"errors"
	"net"
	"os"
	"testing"
	"time"
)

// wire is a connection that notes every write, and breaks when told.
type wire struct {
	net.Conn
	writes [][]byte
	broken error
	closed bool
}

func (w *wire) Write(b []byte) (int, error) {
	if w.broken != nil {
		return len(b) / 2, w.broken
	}
	w.writes = append(w.writes, bytes.Clone(b))
	return len(b), nil
}

func (w *wire) SetWriteDeadline(time.Time) error { return nil }

func (w *wire) Close() error {
	w.closed = true
	return nil
}

func write(t *testing.T, c *corkedConn, b []byte) {
	t.Helper()
	if n, err := c.Write(b); n != len(b) || err != nil {
		t.Fatalf("Write: %d, %v", n, err)
	}
}

func TestACorkGathersWritesInTheirOrder(t *testing.T) {
	w := &wire{}
	c := &corkedConn{Conn: w, patience: time.Second}
	write(t, c, []byte("direct "))
	c.cork()
	big := bytes.Repeat([]byte("b"), corkBytes-1)
	for _, b := range [][]byte{[]byte("one "), []byte("two "), big, []byte("|"), []byte("three ")} {
		write(t, c, b)
	}
	huge := bytes.Repeat([]byte("h"), corkBytes+1)
	write(t, c, huge)
	write(t, c, []byte("four "))
	if err := c.flush(); err != nil {
		t.Fatal(err)
	}
	write(t, c, []byte("five "))
	if err := c.uncork(); err != nil {
		t.Fatal(err)
	}
	write(t, c, []byte("direct again"))
	want := [][]byte{
		[]byte("direct "), []byte("one two "), append(bytes.Clone(big), '|'), []byte("three "), huge,
		[]byte("four "), []byte("five "), []byte("direct again"),
	}
	if len(w.writes) != len(want) {
		t.Fatalf("%d writes, want %d", len(w.writes), len(want))
	}
	for i := range want {
		if !bytes.Equal(w.writes[i], want[i]) {
			t.Errorf("write %d has %d bytes, want %d", i+1, len(w.writes[i]), len(want[i]))
		}
	}
}

// What the library believes to be written is not: the connection must not live.
func TestWhatCannotLeaveTheCorkEndsTheConnection(t *testing.T) {
	w := &wire{}
	c := &corkedConn{Conn: w, patience: time.Second}
	c.cork()
	write(t, c, []byte("kept"))
	w.broken = os.ErrDeadlineExceeded
	if err := c.flush(); !errors.Is(err, os.ErrDeadlineExceeded) || !w.closed {
		t.Errorf("flush: %v, closed: %v", err, w.closed)
	}
}
