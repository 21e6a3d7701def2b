package demo

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"strata.dev/strata/ports/rest/restclient"
)

// patience is how long the loading waits for one answer, all repetitions included.
const patience = time.Minute

// person asks the API on somebody's behalf.
type person struct{ api *restclient.Client }

// post sends a command and reads its answer into v, if v is not nil. The key is
// the same in every loading.
func (p person) post(ctx context.Context, key, path string, body, v any) (position int64, err error) {
	return p.ask(ctx, restclient.Request{Method: http.MethodPost, Path: path, Key: "agenda-2030 " + key, IfMatch: ifMatch(path), Body: body}, v)
}

// get reads what contains position.
func (p person) get(ctx context.Context, path string, position int64, v any) error {
	_, err := p.ask(ctx, restclient.Request{Method: http.MethodGet, Path: path, MinPosition: position, Header: http.Header{"Prefer": {"wait=10"}}}, v)
	return err
}

// until asks for v again and again, until it is as it should be.
func (p person) until(ctx context.Context, path string, v any, ok func() error) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for {
		if err := p.get(ctx, path, 0, v); err != nil {
			return err
		}
		err := ok()
		if err == nil {
			return nil
		}
		if err := pause(ctx, 50*time.Millisecond, err); err != nil {
			return err
		}
	}
}

// ask repeats what may succeed later: while the read databases are behind what
// is loaded, and when the limit of requests is reached.
func (p person) ask(ctx context.Context, r restclient.Request, v any) (position int64, err error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for {
		answer, err := p.api.Do(ctx, r)
		switch {
		case err == nil && v == nil:
			return answer.Position, nil
		case err == nil:
			return answer.Position, answer.Decode(v)
		case !later(err):
			return 0, err
		}
		if err := pause(ctx, time.Second/2, err); err != nil {
			return 0, err
		}
	}
}

// pause lets time pass after something did not go as it should.
func pause(ctx context.Context, d time.Duration, because error) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("%w: %w", context.Cause(ctx), because)
	}
}

// later says whether the same request may succeed later.
func later(err error) bool {
	var problem *restclient.Problem
	if !errors.As(err, &problem) {
		return false
	}
	switch problem.Status {
	case http.StatusTooManyRequests, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return true
	}
	return false
}
