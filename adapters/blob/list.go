package blob

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"slices"
	"strings"

	"strata.dev/strata/app/objectstore"
)

// errEnough ends a walk whose caller has all it asked for.
var errEnough = errors.New("enough")

// List implements objectstore.Store.
func (d *directory) List(ctx context.Context, prefix, after string, limit int) ([]objectstore.Object, error) {
	var objects []objectstore.Object
	err := d.walk(ctx, "", prefix, after, func(o objectstore.Object) error {
		if objects = append(objects, o); len(objects) >= limit {
			return errEnough
		}
		return nil
	})
	if err != nil && !errors.Is(err, errEnough) {
		return nil, failed("list", prefix, err)
	}
	return objects, nil
}

// walk visits the objects below folder ("" or with a slash at its end) in the
// order of their keys. Folders in which there is nothing to be found are not read.
func (d *directory) walk(ctx context.Context, folder, prefix, after string, visit func(objectstore.Object) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	entries, err := os.ReadDir(d.path(folder))
	if err != nil {
		if folder != "" && errors.Is(err, fs.ErrNotExist) {
			return nil // it went meanwhile
		}
		return err
	}
	// What counts is the order of whole keys, and a folder's keys have a slash behind its name.
	name := func(e fs.DirEntry) string {
		if e.IsDir() {
			return e.Name() + "/"
		}
		return e.Name()
	}
	slices.SortFunc(entries, func(a, b fs.DirEntry) int { return strings.Compare(name(a), name(b)) })
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), ".") {
			continue
		}
		key := folder + name(e)
		switch {
		case e.IsDir():
			if (strings.HasPrefix(key, prefix) || strings.HasPrefix(prefix, key)) && (key > after || strings.HasPrefix(after, key)) {
				if err := d.walk(ctx, key, prefix, after, visit); err != nil {
					return err
				}
			}
		case e.Type().IsRegular() && strings.HasPrefix(key, prefix) && key > after:
			info, err := e.Info()
			if errors.Is(err, fs.ErrNotExist) {
				continue // it went meanwhile
			}
			if err != nil {
				return err
			}
			if err := visit(objectstore.Object{Key: key, Size: info.Size(), ModifiedAt: info.ModTime().UTC()}); err != nil {
				return err
			}
		}
	}
	return nil
}
