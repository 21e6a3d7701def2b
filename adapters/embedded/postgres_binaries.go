package embedded

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
)

const oldestPostgres = 15

// installHint is how to go on where a binary is missing.
const installHint = "Install it (as root on Debian or Ubuntu: apt-get install postgresql rabbitmq-server) or give the addresses of running servers in STRATA_LOG_URL, STRATA_PLANS_URL, STRATA_AUDIT_URL and STRATA_AMQP_URL"

type postgresVersion struct{ major, minor int }

func (v postgresVersion) String() string { return fmt.Sprintf("%d.%d", v.major, v.minor) }

type postgresBinaries struct {
	dir     string
	version postgresVersion
}

// findPostgres returns the newest installed server of at least version 15, or
// the newest of the given major version (0: any): data of one major version
// cannot be opened by another.
func findPostgres(major int) (postgresBinaries, error) {
	return choosePostgres(postgresDirs(), major)
}

func choosePostgres(dirs []string, major int) (postgresBinaries, error) {
	var best, tooOld postgresBinaries
	var others []string
	for _, dir := range dirs {
		v, ok := probePostgres(dir)
		switch {
		case !ok:
		case v.major < oldestPostgres:
			tooOld = postgresBinaries{dir, v}
		case major != 0 && v.major != major:
			others = append(others, v.String())
		case v.major > best.version.major || v.major == best.version.major && v.minor > best.version.minor:
			best = postgresBinaries{dir, v}
		}
	}
	switch {
	case best.dir != "":
		return best, nil
	case len(others) > 0:
		return best, &Problem{
			Kind: ErrBinaryMissing, What: startPostgresFailed,
			Why:  fmt.Sprintf("its data were written by PostgreSQL %d, installed is %s", major, strings.Join(others, ", ")),
			Next: fmt.Sprintf("Install postgresql-%d, or move the data directory away to begin with an empty one", major),
		}
	case tooOld.dir != "":
		return best, &Problem{
			Kind: ErrTooOld, What: startPostgresFailed,
			Why:  fmt.Sprintf("%s has version %s, needed is %d or newer", tooOld.dir, tooOld.version, oldestPostgres),
			Next: "Install a newer one (apt.postgresql.org has packages for every Debian and Ubuntu) or give the addresses of running servers in STRATA_LOG_URL, STRATA_PLANS_URL and STRATA_AUDIT_URL",
		}
	}
	return best, &Problem{
		Kind: ErrBinaryMissing, What: startPostgresFailed,
		Why: "the programs postgres and initdb are not installed", Next: installHint,
	}
}

// postgresDirs lists where servers may be, without asking whether they are.
func postgresDirs() []string {
	var dirs []string
	if path, err := exec.LookPath("postgres"); err == nil {
		// A link in /usr/local/bin is followed: the server's siblings are beside the server.
		if path, err = filepath.EvalSymlinks(path); err == nil {
			dirs = append(dirs, filepath.Dir(path))
		}
	}
	if out, err := exec.Command("pg_config", "--bindir").Output(); err == nil { // absent: other places remain
		dirs = append(dirs, strings.TrimSpace(string(out)))
	}
	for _, pattern := range []string{"/usr/lib/postgresql/*/bin", "/usr/pgsql-*/bin", "/usr/local/pgsql/bin", "/opt/homebrew/opt/postgresql@*/bin"} {
		found, _ := filepath.Glob(pattern) // the only error is a bad pattern
		dirs = append(dirs, found...)
	}
	return dirs
}

var versionLine = regexp.MustCompile(`\(PostgreSQL\) (\d+)(?:\.(\d+))?`)

// probePostgres asks the server in dir for its version.
func probePostgres(dir string) (postgresVersion, bool) {
	if _, err := os.Stat(filepath.Join(dir, "initdb")); err != nil {
		return postgresVersion{}, false
	}
	out, err := exec.Command(filepath.Join(dir, "postgres"), "--version").Output()
	if err != nil {
		return postgresVersion{}, false
	}
	m := versionLine.FindStringSubmatch(string(out))
	if m == nil {
		return postgresVersion{}, false
	}
	major, err := strconv.Atoi(m[1])
	if err != nil {
		return postgresVersion{}, false
	}
	minor, _ := strconv.Atoi(m[2]) // a beta has none
	return postgresVersion{major, minor}, true
}

// clusterVersion is the major version that wrote the data directory, 0 if there is none.
func clusterVersion(data string) int {
	b, err := os.ReadFile(filepath.Join(data, "PG_VERSION"))
	if err != nil {
		return 0
	}
	major, err := strconv.Atoi(strings.TrimSpace(string(b)))
	if err != nil {
		return 0
	}
	return major
}
