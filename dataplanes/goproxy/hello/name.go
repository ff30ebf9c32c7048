package hello

import "errors"

var errMalformed = errors.New("the ClientHello is malformed")

const (
	extensionServerName = 0
	nameTypeHost        = 0
)

// serverName reads the SNI of a hello's body (RFC 8446, section 4.1.2; RFC 6066,
// section 3). It is empty where there is none.
func serverName(body []byte) (string, error) {
	in := cursor(body)
	// The version, the random bytes, the session's id, the cipher suites and the
	// compression methods.
	_, ok := in.take(2 + 32)
	_, okSession := in.vector(1)
	suites, okSuites := in.vector(2)
	_, okCompression := in.vector(1)
	if !ok || !okSession || !okSuites || !okCompression || len(suites)%2 != 0 {
		return "", errMalformed
	}
	if len(in) == 0 {
		return "", nil
	}
	extensions, ok := in.vector(2)
	if !ok || len(in) != 0 {
		return "", errMalformed
	}
	return inExtensions(extensions)
}

// inExtensions refuses an extension that comes twice, as crypto/tls does: which
// of two server names counts is nothing to guess.
func inExtensions(in cursor) (string, error) {
	name := ""
	seen := map[int]bool{}
	for len(in) > 0 {
		kind, ok := in.number(2)
		data, okData := in.vector(2)
		if !ok || !okData || seen[kind] {
			return "", errMalformed
		}
		seen[kind] = true
		if kind != extensionServerName {
			continue
		}
		var err error
		if name, err = inNames(data); err != nil {
			return "", err
		}
	}
	return name, nil
}

func inNames(in cursor) (string, error) {
	list, ok := in.vector(2)
	if !ok || len(list) == 0 || len(in) != 0 {
		return "", errMalformed
	}
	found := ""
	for len(list) > 0 {
		kind, ok := list.number(1)
		name, okName := list.vector(2)
		if !ok || !okName || len(name) == 0 {
			return "", errMalformed
		}
		if kind != nameTypeHost {
			continue
		}
		if found != "" {
			return "", errMalformed
		}
		found = string(name)
	}
	return found, nil
}

// cursor is what is left to be read.
type cursor []byte

func (c *cursor) take(n int) (cursor, bool) {
	if n > len(*c) {
		return nil, false
	}
	taken := (*c)[:n]
	*c = (*c)[n:]
	return taken, true
}

// number reads an unsigned number of n bytes.
func (c *cursor) number(n int) (int, bool) {
	bytes, ok := c.take(n)
	value := 0
	for _, b := range bytes {
		value = value<<8 | int(b)
	}
	return value, ok
}

// vector reads a vector whose length has n bytes.
func (c *cursor) vector(n int) (cursor, bool) {
	length, ok := c.number(n)
	if !ok {
		return nil, false
	}
	return c.take(length)
}
