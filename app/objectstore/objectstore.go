package objectstore

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// MaxBytes is the size of the largest object that is written or read.
const MaxBytes = 64 << 20

// MaxKeyBytes is the length of the longest key.
const MaxKeyBytes = 512

var (
	// ErrExists: there is an object of that key already. It was not touched.
	ErrExists = errors.New("there is an object of this key already")
	// ErrNotFound: there is no object of that key.
	ErrNotFound = errors.New("there is no object of this key")
	// ErrChanged: the object is not the version that was to be replaced, or is gone. Nothing was written.
	ErrChanged = errors.New("the object has changed since it was read")
	// ErrTooLarge: an object of more than MaxBytes. Nothing was written.
	ErrTooLarge = fmt.Errorf("an object may have %d bytes at most", MaxBytes)
	// ErrKey: the text cannot be a key. Nothing was asked.
	ErrKey = errors.New("not a key: segments of A-Z a-z 0-9 . _ - between slashes, none empty or beginning with a dot, 512 bytes at most")
)

// Object is what a store says about an object without giving its bytes.
type Object struct {
	Key        string
	Size       int64     // bytes
	ModifiedAt time.Time // UTC, by the store's clock

	// RetainUntil is how long the store itself refuses to delete or overwrite the
	// object, and RetentionMode how strictly ("COMPLIANCE": nobody can). From Stat
	// only; zero where the store has no such lock.
	RetainUntil   time.Time
	RetentionMode string
}

// Store keeps objects that are written once. All methods are safe for concurrent
// use, take as long as ctx allows, and return errors that name the key.
type Store interface {
	// Put keeps body under key, durably, unless there is an object of that key:
	// then it is ErrExists, whatever that object holds. After any other error the
	// object is there completely or not at all.
	Put(ctx context.Context, key string, body []byte) error

	// Get gives an object's bytes, or ErrNotFound. An answer that ends early is an error.
	Get(ctx context.Context, key string) ([]byte, error)

	// Stat describes an object, or says ErrNotFound.
	Stat(ctx context.Context, key string) (Object, error)

	// List gives the objects whose key begins with prefix and is greater than
	// after, in the order of the keys' bytes, at most limit (which is 1 to 10,000).
	// Fewer than limit means that the end was reached.
	List(ctx context.Context, prefix, after string, limit int) ([]Object, error)
}

// Mutable is a store whose objects can be replaced and deleted for good.
type Mutable interface {
	Store

	// Load is Get that also says which version of the object it is.
	Load(ctx context.Context, key string) (body []byte, version string, err error)

	// Replace puts body in the place of the version that was loaded, durably, or
	// says ErrChanged. Of several that race for one version exactly one wins.
	Replace(ctx context.Context, key, version string, body []byte) error

	// Delete removes an object, durably; that there is none is no error.
	Delete(ctx context.Context, key string) error
}

// CheckKey says ErrKey if key is none.
func CheckKey(key string) error {
	if len(key) == 0 || len(key) > MaxKeyBytes {
		return fmt.Errorf("%q: %w", key, ErrKey)
	}
	start := true
	for i := range len(key) {
		switch c := key[i]; {
		case c == '/' && start, c == '.' && start:
			return fmt.Errorf("%q: %w", key, ErrKey)
		case c == '/':
			start = true
			continue
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '.', c == '_', c == '-':
		default:
			return fmt.Errorf("%q: %w", key, ErrKey)
		}
		start = false
	}
	if start {
		return fmt.Errorf("%q: %w", key, ErrKey)
	}
	return nil
}
