package erasure_test

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/klauspost/compress/zstd"

	"strata.dev/strata/api"
	"strata.dev/strata/ports/rest/restclient"
	"strata.dev/strata/tests/system"
)

// endless are the operations whose answers do not end.
var endless = []string{"streamEvents", "streamOperation"}

// answersNaming asks everything that can be asked with GET, as some or (nil) all
// of the members, about every id that there is, and gives the questions whose
// answers name the person.
func (w *world) answersNaming(ids map[string][]string, extra string, as []string) (found []string, asked int) {
	w.t.Helper()
	text, err := api.OpenAPI()
	if err != nil {
		w.t.Fatal(err)
	}
	var contract struct {
		Paths map[string]map[string]json.RawMessage
	}
	if err := json.Unmarshal(text, &contract); err != nil {
		w.t.Fatal(err)
	}
	if as == nil {
		as = slices.Sorted(maps.Keys(w.Organization.Tokens))
	}
	for path, methods := range contract.Paths {
		var get struct{ OperationID string }
		if methods["get"] == nil || json.Unmarshal(methods["get"], &get) != nil || slices.Contains(endless, get.OperationID) || !strings.HasPrefix(path, "/v1/") {
			continue
		}
		if extra != "" && !bytes.Contains(methods["get"], []byte("/AsOfPosition")) {
			continue
		}
		questions := []string{path}
		if collection, rest, ok := strings.Cut(path, "{"); ok {
			questions = nil
			_, rest, _ = strings.Cut(rest, "}")
			if strings.Contains(rest, "{") {
				continue // of one field
			}
			for _, id := range ids[strings.Trim(strings.TrimPrefix(collection, "/v1/"), "/")] {
				questions = append(questions, collection+id+rest)
			}
		}
		for _, q := range questions {
			for _, by := range as {
				sep := "?"
				if extra == "" || strings.Contains(q, "?") {
					sep = ""
				}
				answer, err := w.as(by).Do(w.t.Context(), restclient.Request{Method: http.MethodGet, Path: q + sep + extra})
				body := answer.Body
				if p, ok := errors.AsType[*restclient.Problem](err); ok {
					if body = p.Body; p.Status >= 500 {
						w.t.Errorf("%s, GET %s: %v", by, q, err)
					}
				} else if err != nil {
					w.t.Fatalf("%s, GET %s: %v", by, q, err)
				} else {
					asked++
				}
				if says(body) {
					found = append(found, by+" GET "+q+sep+extra)
				}
			}
		}
	}
	slices.Sort(found)
	return found, asked
}

// everyID is what there is to ask about.
func (w *world) everyID() map[string][]string {
	w.t.Helper()
	ids := map[string][]string{}
	for _, list := range []string{"strategies", "evidence", "imports", "findings", "sources"} {
		var page struct{ Items []struct{ ID string } }
		w.read("arlo", "/v1/"+list+"?limit=50", &page)
		for _, item := range page.Items {
			ids[list] = append(ids[list], item.ID)
		}
	}
	for _, p := range w.persons("casey") {
		if p.Name == name || p.Erased {
			ids["persons"] = append(ids["persons"], p.SubjectID)
		}
	}
	ids["operations"] = ids["imports"]
	// Of events those that hold something sealed: others have nothing to tell.
	conn := w.connect("strata_log")
	rows, err := conn.Query(w.t.Context(), `SELECT event_id::text FROM events WHERE convert_from(data, 'UTF8') LIKE '%"v1.%' OR type LIKE 'organization.personal%' ORDER BY type LIKE 'organization.personal%' DESC, position DESC LIMIT 4`)
	if err != nil {
		w.t.Fatal(err)
	}
	if ids["events"], err = pgx.CollectRows(rows, pgx.RowTo[string]); err != nil {
		w.t.Fatal(err)
	}
	return ids
}

func (w *world) connect(database string) *pgx.Conn {
	w.t.Helper()
	conn, err := pgx.Connect(w.t.Context(), w.pg.URL(database))
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { _ = conn.Close(w.t.Context()) })
	return conn
}

// columnsNaming looks through every column of every table of a database.
func (w *world) columnsNaming(database string) (found []string, rows int) {
	w.t.Helper()
	conn := w.connect(database)
	ctx := w.t.Context()
	list, err := conn.Query(ctx, `SELECT format('%I.%I', schemaname, tablename) FROM pg_tables WHERE schemaname NOT IN ('pg_catalog', 'information_schema') ORDER BY 1`)
	if err != nil {
		w.t.Fatal(err)
	}
	tables, err := pgx.CollectRows(list, pgx.RowTo[string])
	if err != nil {
		w.t.Fatal(err)
	}
	for _, table := range tables {
		var n, hits int
		// A bytea shows as hexadecimal digits.
		err := conn.QueryRow(ctx, `SELECT count(*), count(*) FILTER (WHERE strpos(lower(r::text), $1) > 0 OR strpos(r::text, $2) > 0) FROM `+table+` r`,
			strings.ToLower(surname), hex.EncodeToString([]byte(surname))).Scan(&n, &hits)
		if err != nil {
			w.t.Fatalf("%s: %v", table, err)
		}
		if rows += n; hits > 0 {
			found = append(found, fmt.Sprintf("%s: %d rows", table, hits))
		}
	}
	return found, rows
}

// filesNaming looks through the files of a directory, those that are compressed
// as well, and gives how many there are.
func filesNaming(dir string) (found []string, files int, err error) {
	decoder, err := zstd.NewReader(nil)
	if err != nil {
		return nil, 0, err
	}
	defer decoder.Close()
	err = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		content, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		files++
		if strings.HasSuffix(path, ".zst") {
			if content, err = decoder.DecodeAll(content, nil); err != nil {
				return fmt.Errorf("%s: %w", path, err)
			}
		}
		if says(content) || bytes.Contains(content, []byte(hex.EncodeToString([]byte(surname)))) {
			found = append(found, path)
		}
		return nil
	})
	return found, files, err
}

// restored is another service on a backup of all databases.
func (w *world) restored(backups map[string][]byte) *system.Service {
	w.t.Helper()
	env := map[string]string{"STRATA_GROUPS": "none", "STRATA_ARCHIVE_URL": "file://" + w.t.TempDir()}
	for database, backup := range backups {
		conn := w.connect("postgres")
		if _, err := conn.Exec(w.t.Context(), `CREATE DATABASE restored_`+database); err != nil {
			w.t.Fatal(err)
		}
		run(w.t, w.pg.Bin("psql"), backup, "--quiet", "--no-psqlrc", "-v", "ON_ERROR_STOP=1", "--dbname", w.pg.URL("restored_"+database))
	}
	urls := regexp.MustCompile(`([^/])/strata_(log|plans|audit)\b`)
	for _, setting := range []string{
		"STRATA_LOG_URL", "STRATA_PLANS_URL", "STRATA_PLANS_READ_URL", "STRATA_AUDIT_URL", "STRATA_AUDIT_READ_URL",
		"STRATA_LOG_ADMIN_URL", "STRATA_PLANS_ADMIN_URL", "STRATA_AUDIT_ADMIN_URL",
	} {
		if value := w.Setting(setting); value != "" {
			env[setting] = urls.ReplaceAllString(value, "$1/restored_strata_$2")
		}
	}
	s := w.Service(env)
	s.Start()
	s.Ready()
	return s
}

// backup dumps all databases.
func (w *world) backup() map[string][]byte {
	w.t.Helper()
	dumps := map[string][]byte{}
	for _, database := range []string{"strata_log", "strata_plans", "strata_audit"} {
		dumps[database] = run(w.t, w.pg.Bin("pg_dump"), nil, "--dbname", w.pg.URL(database))
	}
	return dumps
}
