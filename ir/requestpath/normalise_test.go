package requestpath

import (
	"errors"
	"strings"
	"testing"
)

func TestNormalise(t *testing.T) {
	for raw, want := range map[string]string{
		"":                    "/",
		"/":                   "/",
		"/a":                  "/a",
		"/a/":                 "/a/",
		"/a.b/.c/...":         "/a.b/.c/...",
		"/%7Eann/%41%2d%5f":   "/~ann/A-_",
		"/caf%c3%a9":          "/caf%C3%A9",
		"/a%20b%25%3f%23":     "/a%20b%25%3F%23",
		"/a/./b":              "/a/b",
		"/a/.":                "/a/",
		"/a/..":               "/",
		"/a/../":              "/",
		"/a/b/../c":           "/a/c",
		"/..":                 "/",
		"/.":                  "/",
		"/../../etc":          "/etc",
		"/a/%2e%2E/b":         "/b",
		"/a/%2e/b":            "/a/b",
		"/a/.%2e/b":           "/b",
		"//a":                 "/a",
		"/a//b///":            "/a/b/",
		"/a//../b":            "/a/b",
		"///":                 "/",
		"/a/..//":             "/",
		"/%252F%252e%252e/":   "/%252F%252e%252e/",
		"/a;x=1/b;y":          "/a;x=1/b;y",
		"/a;..":               "/a;..",
		"/{a}|b^\"<>`[]":      "/%7Ba%7D%7Cb%5E%22%3C%3E%60%5B%5D",
		"/!$&'()*+,;=:@":      "/!$&'()*+,;=:@",
		"/sluice.v1.Echo/Say": "/sluice.v1.Echo/Say",
	} {
		if got, err := Normalise(raw); err != nil || got != want {
			t.Errorf("Normalise(%q) = %q, %v; want %q", raw, got, err, want)
		}
	}
}

func TestNormaliseRefuses(t *testing.T) {
	for raw, want := range map[string]error{
		"a":                 ErrNotAbsolute,
		"*":                 ErrNotAbsolute,
		"http://a/":         ErrNotAbsolute,
		"/%":                ErrEscape,
		"/%4":               ErrEscape,
		"/%4g":              ErrEscape,
		"/a%2fb":            ErrEncoded,
		"/a%2Fb":            ErrEncoded,
		"/public/..%2fadm":  ErrEncoded,
		"/a%5cb":            ErrEncoded,
		"/%00":              ErrEncoded,
		"/%0d%0a":           ErrEncoded,
		"/%7f":              ErrEncoded,
		`/a\b`:              ErrCharacter,
		"/a b":              ErrCharacter,
		"/a\x00":            ErrCharacter,
		"/a\r\nHost: b":     ErrCharacter,
		"/a#b":              ErrCharacter,
		"/a?b":              ErrCharacter,
		"/caf\xc3\xa9":      ErrCharacter,
		"/public/..;/admin": ErrDotParameter,
		"/a/.;x/b":          ErrDotParameter,
		"/a/%2e%2e;x":       ErrDotParameter,
		"/a/..%3bx/b":       ErrDotParameter,
		"/..;x":             ErrDotParameter,
	} {
		if got, err := Normalise(raw); !errors.Is(err, want) {
			t.Errorf("Normalise(%q) = %q, %v; want the error %v", raw, got, err, want)
		}
	}
}

func TestKeptSlashes(t *testing.T) {
	for raw, want := range map[string]string{
		"/a%2fb":                 "/a%2Fb",
		"/%2F":                   "/%2F",
		"/a%5cb/../c%2f":         "/c%2F",
		"/api/group%2Fproject/x": "/api/group%2Fproject/x",
		"/@scope%2fname":         "/@scope%2Fname",
		"/a%2F...%2Fb":           "/a%2F...%2Fb",
		"/a%252f..%252f":         "/a%252f..%252f",
	} {
		if got, err := KeepSlashes.Normalise(raw); err != nil || got != want {
			t.Errorf("%q = %q, %v; want %q", raw, got, err, want)
		}
	}
	for raw, want := range map[string]error{
		"/..%2fadmin":          ErrEncoded,
		"/a%2f..":              ErrEncoded,
		"/a/b%5c..%5cadmin":    ErrEncoded,
		"/a%2f%2e%2e%2fadmin":  ErrEncoded,
		"/a%5C.%2Fb":           ErrEncoded,
		"/x/a%2F..;v=1%2Fb":    ErrEncoded,
		"/..%2F/..":            ErrEncoded,
		"/a%00%2f":             ErrEncoded,
		`/a\b%2f`:              ErrCharacter,
		"/..;/a%2f":            ErrDotParameter,
		"/open%2f..%2fadmin/x": ErrEncoded,
	} {
		if got, err := KeepSlashes.Normalise(raw); !errors.Is(err, want) {
			t.Errorf("%q = %q, %v; want the error %v", raw, got, err, want)
		}
	}
}

func TestNormalPathsAreNotCopied(t *testing.T) {
	for _, path := range []string{"/", "/a", "/shop/items/42", "/a.b/c%20d/e%C3%A9/", "/!$&'()*+,;=:@"} {
		if n := testing.AllocsPerRun(100, func() { _, _ = Normalise(path) }); n != 0 {
			t.Errorf("Normalise(%q) allocates %v times, want none", path, n)
		}
	}
}

func FuzzNormalise(f *testing.F) {
	for _, seed := range []string{"/", "/a/../b", "/%2e%2e/", "//a//", "/a%2fb", "/..;/", "/%c3%a9", "/a/.", "/\x7f"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		once, err := Normalise(raw)
		if err != nil {
			if once != "" {
				t.Fatalf("Normalise(%q) refuses, and returns %q", raw, once)
			}
			return
		}
		if twice, err := Normalise(once); err != nil || twice != once {
			t.Fatalf("Normalise(%q) = %q, whose own normal form is %q, %v", raw, once, twice, err)
		}
		if !strings.HasPrefix(once, "/") {
			t.Fatalf("Normalise(%q) = %q does not begin with a slash", raw, once)
		}
		for _, bad := range []string{"/../", "/./", "//", "\\", "\x00", "\n", "\r", " ", "?", "#", "%2F", "%2f", "%5C", "%2E"} {
			if strings.Contains(once+"/", bad) && !strings.HasSuffix(once, "/") || strings.Contains(once, bad) {
				t.Fatalf("Normalise(%q) = %q holds %q", raw, once, bad)
			}
		}
	})
}

func BenchmarkNormalise(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		_, _ = Normalise("/shop/items/42/reviews")
	}
}

// FuzzKeptSlashes decodes what was kept, as a backend might, and wants to find
// no dot segment that was not there before.
func FuzzKeptSlashes(f *testing.F) {
	for _, seed := range []string{"/a%2fb", "/a%2f../b", "/%5c..%2f", "/..%2F;x", "/.%2e%2f", "/a%2f/..%5c"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		once, err := KeepSlashes.Normalise(raw)
		if err != nil {
			return
		}
		if twice, err := KeepSlashes.Normalise(once); err != nil || twice != once {
			t.Fatalf("%q = %q, whose own normal form is %q, %v", raw, once, twice, err)
		}
		decoded := strings.NewReplacer("%2F", "/", "%5C", "/").Replace(once) + "/"
		for _, bad := range []string{"/../", "/./", "/..;", "/.;"} {
			if strings.Contains(decoded, bad) {
				t.Fatalf("%q = %q holds %q once its slashes are decoded", raw, once, bad)
			}
		}
		if strict, err := Normalise(raw); err == nil && strict != once {
			t.Fatalf("%q = %q, and %q where slashes are refused", raw, once, strict)
		}
	})
}
