package rest

import (
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// Whatever comes in whatever portions, a reader gets each frame behind its place
// once and in order, or is told to read the database instead.
func TestAFollowerKeepsTheLastFrames(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		f := &follower{changed: make(chan struct{}), at: -1, begin: -1}
		start := rapid.Int64Range(0, 100).Draw(t, "start")
		f.add(nil, start)
		var all []int64
		at := start
		for range rapid.IntRange(0, 20).Draw(t, "portions") {
			var frames []frame
			for range rapid.IntRange(0, 4).Draw(t, "frames") {
				at += rapid.Int64Range(1, 3).Draw(t, "gap")
				frames = append(frames, frame{position: at, bytes: make([]byte, rapid.IntRange(1, ringBytes/3).Draw(t, "size"))})
				all = append(all, at)
			}
			at += rapid.Int64Range(0, 2).Draw(t, "of others")
			f.add(frames, at)
			if f.bytes > ringBytes {
				t.Fatalf("the ring holds %d bytes", f.bytes)
			}
			place := rapid.Int64Range(max(start-2, 0), at+2).Draw(t, "reader")
			var got, want []int64
			given, reached, _, ok := f.after(place)
			for _, fr := range given {
				got = append(got, fr.position)
			}
			for _, p := range all {
				if p > place {
					want = append(want, p)
				}
			}
			switch {
			case ok && place < start && place < at:
				t.Fatalf("it began at %d and claims to know what is behind %d", start, place)
			case ok && (!slices.Equal(got, want) || reached != max(place, at)):
				t.Fatalf("behind %d it gives %v up to %d, want %v up to %d", place, got, reached, want, at)
			case !ok && place >= f.begin:
				t.Fatalf("it has everything behind %d and does not give what is behind %d", f.begin, place)
			}
		}
	})
}

// A reader that takes nothing loses its connection.
func TestASlowReaderIsCutOff(t *testing.T) {
	result := make(chan error, 1)
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		out := &streamWriter{w: w, connection: http.NewResponseController(w), patience: 50 * time.Millisecond}
		var err error
		for sent := 0; err == nil && sent < 1<<28; sent += streamBuffer {
			err = out.write(make([]byte, streamBuffer))
		}
		result <- err
	}))
	server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelDebug)
	server.Start()
	defer server.Close()
	c, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := io.WriteString(c, "GET / HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	var timeout net.Error
	if err := <-result; !errors.As(err, &timeout) || !timeout.Timeout() {
		t.Errorf("the writer ended with %v, want a deadline passed", err)
	}
}
