package blob

import (
	"context"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"

	"strata.dev/strata/app/objectstore"
)

// Credentials are of a bucket. A directory needs none.
type Credentials struct {
	AccessKey, SecretKey string
}

// Description says what kind of place a store is.
type Description struct {
	Location   string // for people: a path, or endpoint/bucket/prefix; no credentials
	ObjectLock bool   // the store can refuse deletion
	Versioning bool   // the store keeps what is overwritten or deleted
	Retain     time.Duration
}

// Store is a directory or a bucket.
type Store interface {
	objectstore.Mutable

	// Describe asks what kind of place it is, and thereby whether it is there and
	// the credentials are taken. It writes nothing.
	Describe(ctx context.Context) (Description, error)
}

// Open makes a store of one of
//
//	file:///directory
//	s3://bucket/prefix?endpoint=host:port&region=…&insecure=true&retain=87600h
//
// A directory is made if it is not there. A bucket is not asked for anything yet:
// one that is away, or refuses the credentials, says so when it is used. Without
// endpoint it is Amazon's; insecure means http; retain locks every object that is
// put for that long.
func Open(ctx context.Context, rawURL string, credentials Credentials) (Store, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	u, err := url.Parse(rawURL)
	if err != nil {
		return nil, fmt.Errorf("object store: the URL cannot be read: %w", err)
	}
	switch {
	case u.User != nil:
		return nil, fmt.Errorf("object store %s: credentials do not belong into the URL", u.Redacted())
	case u.Scheme == "file":
		if u.Host != "" || !strings.HasPrefix(u.Path, "/") || u.RawQuery != "" {
			return nil, fmt.Errorf("object store %s: give the whole path, as in file:///var/lib/strata/archive", rawURL)
		}
		return openDirectory(u.Path)
	case u.Scheme == "s3":
		return openBucket(u, credentials)
	}
	return nil, fmt.Errorf("object store %s: take file:///directory or s3://bucket/prefix?endpoint=host:port", rawURL)
}

// place is what an s3 URL says.
type place struct {
	endpoint, region, bucket, prefix string // prefix is "" or ends in a slash
	insecure                         bool
	retain                           time.Duration
}

func parsePlace(u *url.URL) (place, error) {
	p := place{bucket: u.Host, endpoint: "s3.amazonaws.com", region: "us-east-1"}
	if p.bucket == "" {
		return p, fmt.Errorf("object store %s: there is no bucket in it", u)
	}
	if prefix := strings.Trim(u.Path, "/"); prefix != "" {
		if err := objectstore.CheckKey(prefix); err != nil {
			return p, fmt.Errorf("object store %s: the prefix is %w", u, err)
		}
		p.prefix = prefix + "/"
	}
	for name, values := range u.Query() {
		value, err := values[len(values)-1], error(nil)
		switch name {
		case "endpoint":
			p.endpoint = value
		case "region":
			if value != "" {
				p.region = value
			}
		case "insecure":
			p.insecure, err = strconv.ParseBool(value)
		case "retain":
			p.retain, err = time.ParseDuration(value)
			if err == nil && p.retain < 0 {
				err = fmt.Errorf("%s is negative", p.retain)
			}
		default:
			err = fmt.Errorf("there is no such parameter: take endpoint, region, insecure, retain")
		}
		if err != nil {
			return p, fmt.Errorf("object store %s: %s: %w", u, name, err)
		}
	}
	return p, nil
}

// failed names what was asked for in an error.
func failed(doing, key string, err error) error {
	return fmt.Errorf("object store: %s %s: %w", doing, key, err)
}
