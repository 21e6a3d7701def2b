package segregation

import (
	"os"
	"testing"

	"go.uber.org/goleak"

	"strata.dev/strata/tests/testenv"
)

func TestMain(m *testing.M) {
	code := testenv.Main(m)
	if code == 0 {
		if err := goleak.Find(testenv.LeakOptions()...); err != nil {
			_, _ = os.Stderr.WriteString(err.Error() + "\n")
			code = 1
		}
	}
	os.Exit(code)
}
