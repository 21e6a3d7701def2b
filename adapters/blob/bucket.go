package blob

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"

	"strata.dev/strata/app/objectstore"
)

// attempts is how often one request is made before its failure is the caller's.
const attempts = 3

// bucket is a store in a bucket.
type bucket struct {
	place
	client *minio.Client
}

func openBucket(u *url.URL, c Credentials) (*bucket, error) {
	p, err := parsePlace(u)
	if err != nil {
		return nil, err
	}
	client, err := minio.New(p.endpoint, &minio.Options{
		Creds:      credentials.NewStaticV4(c.AccessKey, c.SecretKey, ""),
		Secure:     !p.insecure,
		Region:     p.region,
		MaxRetries: attempts,
	})
	if err != nil {
		return nil, fmt.Errorf("object store %s: %w", u, err)
	}
	return &bucket{p, client}, nil
}

// Put implements objectstore.Store.
func (b *bucket) Put(ctx context.Context, key string, body []byte) error {
	options := b.options()
	options.SetMatchETagExcept("*")
	err := b.put(ctx, key, body, options)
	switch status(err) {
	case http.StatusPreconditionFailed:
		err = objectstore.ErrExists
	case http.StatusForbidden, http.StatusConflict:
		// A store may answer for the lock of the object that is there, or for another
		// put under way, before it looks at the condition.
		if _, there := b.Stat(ctx, key); there == nil {
			err = objectstore.ErrExists
		}
	}
	return wrapped("put", key, err)
}

// Replace implements objectstore.Mutable.
func (b *bucket) Replace(ctx context.Context, key, version string, body []byte) error {
	options := b.options()
	options.SetMatchETag(version)
	err := b.put(ctx, key, body, options)
	if s := status(err); s == http.StatusPreconditionFailed || s == http.StatusNotFound {
		err = objectstore.ErrChanged
	}
	return wrapped("replace", key, err)
}

func (b *bucket) options() minio.PutObjectOptions {
	o := minio.PutObjectOptions{
		ContentType: "application/octet-stream", DisableMultipart: true, SendContentMd5: true, // locks ask for a checksum
	}
	if b.retain > 0 {
		o.Mode, o.RetainUntilDate = minio.Compliance, time.Now().Add(b.retain).UTC()
	}
	return o
}

func (b *bucket) put(ctx context.Context, key string, body []byte, options minio.PutObjectOptions) error {
	if err := objectstore.CheckKey(key); err != nil {
		return err
	}
	if len(body) > objectstore.MaxBytes {
		return objectstore.ErrTooLarge
	}
	_, err := b.client.PutObject(ctx, b.bucket, b.prefix+key, bytes.NewReader(body), int64(len(body)), options)
	return err
}

// Get implements objectstore.Store.
func (b *bucket) Get(ctx context.Context, key string) ([]byte, error) {
	body, _, err := b.Load(ctx, key)
	return body, err
}

// Load implements objectstore.Mutable.
func (b *bucket) Load(ctx context.Context, key string) (body []byte, version string, err error) {
	if err := objectstore.CheckKey(key); err != nil {
		return nil, "", wrapped("get", key, err)
	}
	object, info, _, err := minio.Core{Client: b.client}.GetObject(ctx, b.bucket, b.prefix+key, minio.GetObjectOptions{})
	if err != nil {
		return nil, "", wrapped("get", key, missing(err))
	}
	defer object.Close() // what was read is judged by its length
	body, err = io.ReadAll(io.LimitReader(object, objectstore.MaxBytes+1))
	switch {
	case err != nil:
	case len(body) > objectstore.MaxBytes:
		err = objectstore.ErrTooLarge
	case int64(len(body)) != info.Size:
		err = fmt.Errorf("%w: %d of %d bytes came", io.ErrUnexpectedEOF, len(body), info.Size)
	}
	if err != nil {
		return nil, "", wrapped("get", key, err)
	}
	return body, info.ETag, nil
}

// Stat implements objectstore.Store. The lock is read from the headers of the
// object: servers answer the question for it alone in ways that cannot be parsed.
func (b *bucket) Stat(ctx context.Context, key string) (objectstore.Object, error) {
	if err := objectstore.CheckKey(key); err != nil {
		return objectstore.Object{}, wrapped("stat", key, err)
	}
	info, err := b.client.StatObject(ctx, b.bucket, b.prefix+key, minio.StatObjectOptions{})
	if err != nil {
		return objectstore.Object{}, wrapped("stat", key, missing(err))
	}
	object := b.object(info)
	object.RetentionMode = info.Metadata.Get("x-amz-object-lock-mode")
	if until := info.Metadata.Get("x-amz-object-lock-retain-until-date"); until != "" {
		if object.RetainUntil, err = time.Parse(time.RFC3339, until); err != nil {
			return objectstore.Object{}, wrapped("stat", key, fmt.Errorf("retained until %q: %w", until, err))
		}
		object.RetainUntil = object.RetainUntil.UTC()
	}
	return object, nil
}

func (b *bucket) object(info minio.ObjectInfo) objectstore.Object {
	return objectstore.Object{Key: strings.TrimPrefix(info.Key, b.prefix), Size: info.Size, ModifiedAt: info.LastModified.UTC()}
}

// List implements objectstore.Store.
func (b *bucket) List(ctx context.Context, prefix, after string, limit int) ([]objectstore.Object, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel() // ends the asking for further pages
	options := minio.ListObjectsOptions{Prefix: b.prefix + prefix, Recursive: true, MaxKeys: min(limit, 1_000)}
	if after != "" {
		options.StartAfter = b.prefix + after
	}
	var objects []objectstore.Object
	for info := range b.client.ListObjectsIter(ctx, b.bucket, options) {
		if info.Err != nil {
			return nil, wrapped("list", prefix, info.Err)
		}
		object := b.object(info)
		// A store that ignores start-after, or does not sort, must not make its caller go round.
		if object.Key <= after {
			continue
		}
		if n := len(objects); n > 0 && objects[n-1].Key >= object.Key {
			return nil, wrapped("list", prefix, fmt.Errorf("%s comes after %s: the store does not sort", object.Key, objects[n-1].Key))
		}
		if objects = append(objects, object); len(objects) >= limit {
			break
		}
	}
	return objects, nil
}

// Delete implements objectstore.Mutable.
func (b *bucket) Delete(ctx context.Context, key string) error {
	if err := objectstore.CheckKey(key); err != nil {
		return wrapped("delete", key, err)
	}
	err := b.client.RemoveObject(ctx, b.bucket, b.prefix+key, minio.RemoveObjectOptions{})
	if errors.Is(missing(err), objectstore.ErrNotFound) {
		return nil
	}
	return wrapped("delete", key, err)
}

// Describe implements Store.
func (b *bucket) Describe(ctx context.Context) (Description, error) {
	d := Description{Location: b.endpoint + "/" + b.bucket + "/" + b.prefix, Retain: b.retain}
	there, err := b.client.BucketExists(ctx, b.bucket)
	switch {
	case err != nil:
		return d, wrapped("look for bucket", b.bucket, err)
	case !there:
		return d, wrapped("look for bucket", b.bucket, errors.New("there is no such bucket"))
	}
	// Who may write objects need not be allowed to ask what the bucket is like; a
	// bucket without a lock answers with an error.
	if enabled, _, _, _, err := b.client.GetObjectLockConfig(ctx, b.bucket); err == nil {
		d.ObjectLock = enabled == "Enabled"
	}
	if versioning, err := b.client.GetBucketVersioning(ctx, b.bucket); err == nil {
		d.Versioning = versioning.Enabled()
	}
	return d, nil
}

// status is the HTTP status that a store refused with, or 0.
func status(err error) int {
	var response minio.ErrorResponse
	if errors.As(err, &response) {
		return response.StatusCode
	}
	return 0
}

// missing makes ErrNotFound of the store's ways to say so. A bucket that is not
// there is another matter.
func missing(err error) error {
	var response minio.ErrorResponse
	if errors.As(err, &response) && response.StatusCode == http.StatusNotFound && response.Code != minio.NoSuchBucket {
		return objectstore.ErrNotFound
	}
	return err
}

func wrapped(doing, key string, err error) error {
	if err == nil {
		return nil
	}
	return failed(doing, key, err)
}
