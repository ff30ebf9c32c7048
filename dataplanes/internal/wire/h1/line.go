package h1

import (
	"unsafe"

	"github.com/sluice-gateway/sluice/dataplanes/internal/wire/field"
)

// parted is a line as a field. odd says that its name has "_" or "." in it.
type parted struct {
	name, value string
	odd         bool
}

// cutField splits a line into a field, without its CRLF.
func cutField(line string) (parted, error) {
	n, odd := field.ScanName(line)
	if n == 0 || n == len(line) || line[n] != ':' {
		return parted{}, notField(line)
	}
	value := field.Trim(line[n+1:])
	if !field.ValidValue(value) {
		return parted{}, errValue
	}
	return parted{name: line[:n], value: value, odd: odd}, nil
}

func notField(line string) error {
	if line != "" && (line[0] == ' ' || line[0] == '\t') {
		return errFold
	}
	return errName
}

// inPlace returns a string over b, which must not change while it is in use.
func inPlace(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }
