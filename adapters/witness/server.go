package witness

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"strata.dev/strata/app/ledger"
)

const (
	maxRequest   = 64 << 10
	readTimeout  = 5 * time.Second
	writeTimeout = 10 * time.Second
	closeTimeout = 5 * time.Second
)

// ServerOptions are all required, but Logger.
type ServerOptions struct {
	Cosigner *Cosigner
	State    string   // path of the state file
	Logs     []string // verifier keys of the logs: a key of name N speaks for origins N and N/<epoch>
	Logger   *slog.Logger
}

// Server is a witness. Safe for concurrent use.
type Server struct {
	cosigner *Cosigner
	log      *slog.Logger
	known    []note.Verifier
	http.Handler

	mu    sync.Mutex
	state *state
}

// NewServer opens the state of a witness, which nobody else may use meanwhile.
// Close ends it.
func NewServer(o ServerOptions) (*Server, error) {
	if len(o.Logs) == 0 {
		return nil, errors.New("witness: name the verifier key of at least one log")
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	s := &Server{cosigner: o.Cosigner, log: o.Logger}
	for _, vkey := range o.Logs {
		v, err := note.NewVerifier(vkey)
		if err != nil {
			return nil, fmt.Errorf("witness: verifier key %q: %w", vkey, err)
		}
		s.known = append(s.known, v)
	}
	var err error
	if s.state, err = openState(o.State); err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	mux.HandleFunc("POST "+path, s.addCheckpoint)
	mux.HandleFunc("GET /livez", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })
	s.Handler = mux
	return s, nil
}

// Close lets the state go.
func (s *Server) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.state.close()
}

// Serve answers on a listener until ctx ends.
func (s *Server) Serve(ctx context.Context, l net.Listener) error {
	server := &http.Server{
		Handler: s.Handler, ReadHeaderTimeout: readTimeout, ReadTimeout: readTimeout, WriteTimeout: writeTimeout,
		MaxHeaderBytes: 16 << 10, ErrorLog: slog.NewLogLogger(s.log.Handler(), slog.LevelDebug),
	}
	served := make(chan error, 1)
	go func() { served <- server.Serve(l) }()
	select {
	case err := <-served:
		return fmt.Errorf("witness: %w", err)
	case <-ctx.Done():
	}
	closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeTimeout)
	defer cancel()
	err := server.Shutdown(closing)
	if serr := <-served; !errors.Is(serr, http.ErrServerClosed) {
		err = errors.Join(err, serr)
	}
	return err
}

// refusal is an answer other than a cosignature.
type refusal struct {
	status int
	text   string
	size   int64 // of a conflict: what was seen
}

func (r *refusal) Error() string { return r.text }

// addCheckpoint handles POST /add-checkpoint.
func (s *Server) addCheckpoint(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxRequest))
	if err != nil {
		http.Error(w, "the request cannot be read", http.StatusBadRequest)
		return
	}
	line, c, err := s.cosign(body)
	if err == nil {
		s.log.DebugContext(r.Context(), "cosigned", "origin", c.Origin, "size", c.Size)
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		_, _ = w.Write(line) // a caller that went away asks again
		return
	}
	var no *refusal
	if !errors.As(err, &no) {
		s.log.ErrorContext(r.Context(), "cannot cosign", "origin", c.Origin, "size", c.Size, "err", err)
		http.Error(w, "the witness cannot remember what it would sign", http.StatusInternalServerError)
		return
	}
	s.log.WarnContext(r.Context(), "refused to cosign", "origin", c.Origin, "size", c.Size, "reason", no.text)
	if no.status == http.StatusConflict {
		w.Header().Set("Content-Type", mediaSize)
		w.WriteHeader(no.status)
		_, _ = io.WriteString(w, strconv.FormatInt(no.size, 10)+"\n")
		return
	}
	http.Error(w, no.text, no.status)
}

// cosign checks a request, remembers its checkpoint, and signs, in this order.
func (s *Server) cosign(body []byte) ([]byte, ledger.Checkpoint, error) {
	old, proof, signed, err := parseRequest(body)
	if err != nil {
		return nil, ledger.Checkpoint{}, &refusal{status: http.StatusBadRequest, text: err.Error()}
	}
	claimed, err := ledger.ParseCheckpoint(signed)
	if err != nil {
		return nil, claimed, &refusal{status: http.StatusBadRequest, text: err.Error()}
	}
	trusted := s.speakFor(claimed.Origin)
	if len(trusted) == 0 {
		return nil, claimed, &refusal{status: http.StatusNotFound, text: "this log is not known here"}
	}
	c, err := ledger.ReadCheckpoint(signed, note.VerifierList(trusted...))
	if err != nil {
		return nil, claimed, &refusal{status: http.StatusForbidden, text: "no key of this log has signed this"}
	}
	if old > c.Size || c.Size == 0 {
		return nil, c, &refusal{status: http.StatusBadRequest, text: "the old size is larger than the checkpoint's"}
	}

	s.mu.Lock()
	defer s.mu.Unlock()
	last := s.state.logs[c.Origin]
	if old != last.Size || old == c.Size && last.Root != c.Root.String() {
		return nil, c, &refusal{status: http.StatusConflict, text: fmt.Sprintf("size %d was seen, not %d", last.Size, old), size: last.Size}
	}
	if err := continues(last, proof, c); err != nil {
		return nil, c, &refusal{status: http.StatusUnprocessableEntity, text: "this is not proved to continue what was seen"}
	}
	line, err := s.line(c)
	if err != nil {
		return nil, c, err
	}
	if err := s.state.put(c.Origin, seen{Size: c.Size, Root: c.Root.String(), Note: string(signed)}); err != nil {
		return nil, c, err
	}
	return line, c, nil
}

// speakFor are the keys whose logs an origin is one of.
func (s *Server) speakFor(origin string) (keys []note.Verifier) {
	for _, v := range s.known {
		epoch, ok := strings.CutPrefix(origin, v.Name()+"/")
		n, err := strconv.Atoi(epoch)
		if origin == v.Name() || ok && err == nil && n >= 1 && strconv.Itoa(n) == epoch {
			keys = append(keys, v)
		}
	}
	return keys
}

var errProof = errors.New("the proof is not one")

// continues checks that a checkpoint continues what was seen.
func continues(last seen, proof []ledger.Hash, c ledger.Checkpoint) error {
	if last.Size == 0 || last.Size == c.Size {
		if len(proof) > 0 {
			return errProof // there is nothing to prove
		}
		return nil
	}
	root, err := tlog.ParseHash(last.Root)
	if err != nil {
		return err
	}
	return tlog.CheckTree(proof, c.Size, c.Root, last.Size, root)
}

// line is the cosignature's line of a note.
func (s *Server) line(c ledger.Checkpoint) ([]byte, error) {
	body := c.Body()
	signed, err := note.Sign(&note.Note{Text: body}, s.cosigner)
	if err != nil {
		return nil, err
	}
	return signed[len(body)+1:], nil
}
