package embedded

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// fakeApt puts an apt-get into an otherwise ordinary PATH that records its
// calls, the policy at that moment, and ends with the given code.
func fakeApt(t *testing.T, policy string, code string) (calls func() string) {
	t.Helper()
	dir := t.TempDir()
	script := "#!/bin/sh\necho \"$@ DEBIAN_FRONTEND=$DEBIAN_FRONTEND policy=$(cat " + policy + " 2>/dev/null | tail -1)\" >> " + dir + "/calls\necho 'E: Unable to locate package'\nexit " + code + "\n"
	if err := os.WriteFile(filepath.Join(dir, "apt-get"), []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir+":"+os.Getenv("PATH"))
	return func() string {
		b, err := os.ReadFile(filepath.Join(dir, "calls"))
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
}

func missingUntil(calls int, names ...string) func() []string {
	asked := 0
	return func() []string {
		if asked++; asked > calls {
			return nil
		}
		return names
	}
}

func TestInstallWithApt(t *testing.T) {
	policy := filepath.Join(t.TempDir(), "policy-rc.d")
	calls := fakeApt(t, policy, "0")
	var out strings.Builder
	err := installer{missing: missingUntil(1, "postgresql", "rabbitmq-server"), root: true, out: &out, policy: policy}.run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	want := "update -q DEBIAN_FRONTEND=noninteractive policy=exit 101\n" +
		"install -y -q --no-install-recommends postgresql rabbitmq-server DEBIAN_FRONTEND=noninteractive policy=exit 101\n"
	if got := calls(); got != want {
		t.Errorf("calls:\n%swant:\n%s", got, want)
	}
	if _, err := os.Stat(policy); !os.IsNotExist(err) {
		t.Errorf("the policy was left behind: %v", err)
	}
	if !strings.Contains(out.String(), "postgresql, rabbitmq-server") {
		t.Errorf("the user is told %q", out.String())
	}
}

func TestInstallKeepsTheMachinesPolicy(t *testing.T) {
	policy := filepath.Join(t.TempDir(), "policy-rc.d")
	if err := os.WriteFile(policy, []byte("#!/bin/sh\nexit 0\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	fakeApt(t, policy, "0")
	if err := (installer{missing: missingUntil(1, "postgresql"), root: true, out: &strings.Builder{}, policy: policy}).run(t.Context()); err != nil {
		t.Fatal(err)
	}
	if b, err := os.ReadFile(policy); err != nil || string(b) != "#!/bin/sh\nexit 0\n" {
		t.Errorf("the policy is now %q, %v", b, err)
	}
}

func TestInstallSaysHowToGoOn(t *testing.T) {
	policy := filepath.Join(t.TempDir(), "policy-rc.d")
	missing := missingUntil(99, "rabbitmq-server")
	check := func(name string, i installer, kind error, says ...string) {
		t.Helper()
		i.missing, i.out, i.policy = missing, &strings.Builder{}, policy
		line := problemLine(t, i.run(t.Context()), kind)
		for _, s := range append(says, "rabbitmq-server", "STRATA_AMQP_URL") {
			if !strings.Contains(line, s) {
				t.Errorf("%s: %q does not say %q in one line", name, line, s)
			}
		}
	}
	t.Run("apt fails", func(t *testing.T) {
		fakeApt(t, policy, "100")
		check(t.Name(), installer{root: true}, ErrBinaryMissing, "apt-get update said", "Unable to locate package")
		if _, err := os.Stat(policy); !os.IsNotExist(err) {
			t.Errorf("the policy was left behind: %v", err)
		}
	})
	t.Run("apt does not help", func(t *testing.T) {
		fakeApt(t, policy, "0")
		check(t.Name(), installer{root: true}, ErrBinaryMissing, "no usable version")
	})
	t.Run("not root", func(t *testing.T) {
		fakeApt(t, policy, "0")
		check(t.Name(), installer{}, ErrNotAllowed, "only root", "sudo apt-get install")
	})
	t.Run("no apt", func(t *testing.T) {
		t.Setenv("PATH", t.TempDir())
		check(t.Name(), installer{root: true}, ErrBinaryMissing, "there is no apt-get")
	})
}

func TestMissingProgramsAreKnownByTheirNames(t *testing.T) {
	got := missingPrograms([]Program{
		{Name: "sh", Packages: []string{"dash"}},
		{Name: "no-such-program", Packages: []string{"one", "two"}},
	})
	if !slices.Equal(got, []string{"one", "two"}) {
		t.Errorf("missing are %v", got)
	}
}
