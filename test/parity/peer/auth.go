package peer

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// auth is an authorization server over plain HTTP. "Authorization: allow" is
// let through, "Authorization: status 302" is answered with that status, and
// everything else is refused with 403. Its answers tell what it saw.
type auth struct{ c Config }

var _ http.Handler = auth{}

func (a auth) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := read(r)
	if err != nil {
		return
	}
	seen := see(a.c, r, body)
	a.c.Record.Add(seen)
	if failed(a.c, w, r) || !wait(r) {
		return
	}
	for name, value := range a.report(seen) {
		w.Header().Set(name, value)
	}
	status := verdict(r.Header.Get("Authorization"))
	w.WriteHeader(status)
	if status != http.StatusOK {
		w.Write([]byte("denied by auth"))
	}
}

// verdict is the status that an Authorization field asks for.
func verdict(authorization string) int {
	if authorization == "allow" {
		return http.StatusOK
	}
	if text, ok := strings.CutPrefix(authorization, "status "); ok {
		if status, err := strconv.Atoi(text); err == nil {
			return status
		}
	}
	return http.StatusForbidden
}

// report are the fields that tell what an authorization server saw.
func (a auth) report(seen *Seen) map[string]string {
	names := make([]string, 0, len(seen.Headers))
	for name := range seen.Headers {
		names = append(names, strings.ToLower(name))
	}
	slices.Sort(names)
	return map[string]string{
		"X-Auth-User":        "alice",
		"X-Auth-Saw-Method":  seen.Method,
		"X-Auth-Saw-Path":    seen.Path,
		"X-Auth-Saw-Host":    seen.Host,
		"X-Auth-Saw-Body":    seen.Body,
		"X-Auth-Saw-Length":  strconv.FormatInt(seen.Length, 10),
		"X-Auth-Saw-Headers": strings.Join(names, ","),
		"Location":           "http://login.example/",
	}
}
