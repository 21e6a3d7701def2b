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
		pause := time.NewTimer(time.Second / 2)
		select {
		case <-pause.C:
		case <-ctx.Done():
			pause.Stop()
			return 0, fmt.Errorf("%w: %w", context.Cause(ctx), err)
		}
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
