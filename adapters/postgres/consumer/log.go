package consumer

import (
	"context"
	"errors"
	"log/slog"

	"github.com/ThreeDotsLabs/watermill"
)

// watermillLog passes on what only Watermill knows. What it says about each
// attempt of a batch goes to debug: the group reports that once per change.
type watermillLog struct{ log *slog.Logger }

var _ watermill.LoggerAdapter = watermillLog{}

// perAttempt are the router's errors that the group's own state tells better.
var perAttempt = map[string]bool{
	"Handler returned error":              true,
	"Cannot publish messages":             true,
	"Publishing produced messages failed": true,
}

func (l watermillLog) Error(msg string, err error, fields watermill.LogFields) {
	level := slog.LevelError
	if perAttempt[msg] || errors.Is(err, context.Canceled) {
		level = slog.LevelDebug
	}
	l.write(level, msg, fields, slog.Any("error", err))
}

// Info and below is how the router and its goroutines come and go.
func (l watermillLog) Info(msg string, fields watermill.LogFields) {
	l.write(slog.LevelDebug, msg, fields)
}

func (l watermillLog) Debug(msg string, fields watermill.LogFields) {
	l.write(slog.LevelDebug, msg, fields)
}

// Trace is dropped: it is several lines per batch.
func (watermillLog) Trace(string, watermill.LogFields) {}

func (l watermillLog) With(fields watermill.LogFields) watermill.LoggerAdapter {
	args := make([]any, 0, 2*len(fields))
	for k, v := range fields {
		args = append(args, k, v)
	}
	return watermillLog{l.log.With(args...)}
}

func (l watermillLog) write(level slog.Level, msg string, fields watermill.LogFields, more ...slog.Attr) {
	ctx := context.Background()
	if !l.log.Enabled(ctx, level) {
		return
	}
	for k, v := range fields {
		more = append(more, slog.Any(k, v))
	}
	l.log.LogAttrs(ctx, level, "watermill: "+msg, more...)
}
