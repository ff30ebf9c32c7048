package h2

import (
	"strings"

	"golang.org/x/net/http2/hpack"
)

// encoder writes field blocks (RFC 7541). Unlike x/net's it holds no string of
// its caller's, which may lie in a pooled buffer, and allocates only for what it
// puts into its table: what it has seen before, so that values that never come
// again push nothing out.
type encoder struct {
	// ring has the entries from the oldest on; hashes are those of name and value.
	ring   []entry
	first  int
	size   int
	limit  int
	seen   [128]uint32
	update bool
	// least is the smallest limit since the last block (RFC 7541, section 4.2).
	least int
}

type entry struct {
	hash, nameHash uint32
	name, value    string
}

const (
	// tableSize is how much of what a peer allows is used.
	tableSize = 4096
	// entryOverhead is that of RFC 7541, section 4.1.
	entryOverhead = 32
)

func newEncoder() encoder { return encoder{limit: tableSize, least: tableSize} }

// setLimit follows the peer's SETTINGS_HEADER_TABLE_SIZE.
func (e *encoder) setLimit(n uint32) {
	limit := int(min(n, tableSize))
	if limit == e.limit {
		return
	}
	e.limit, e.update = limit, true
	e.least = min(e.least, limit)
	e.evict(0)
}

// begin begins a block.
func (e *encoder) begin(dst []byte) []byte {
	if !e.update {
		return dst
	}
	if e.least < e.limit {
		// Go's decoder takes a second update only while its table is empty.
		limit := e.limit
		e.limit = 0
		e.evict(0)
		e.limit = limit
		dst = appendInteger(dst, 0x20, 5, 0)
	}
	dst = appendInteger(dst, 0x20, 5, uint64(e.limit))
	e.update, e.least = false, e.limit
	return dst
}

// field appends a field. Its name may be in any case.
func (e *encoder) field(dst []byte, name, value string) []byte {
	nameHash := hashName(name)
	hash := hashValue(nameHash, value)
	static := staticEntry(nameHash, name)
	if i := staticPair(static, value); i > 0 {
		return appendInteger(dst, 0x80, 7, uint64(i))
	}
	for i := len(e.ring) - 1; i >= e.first; i-- {
		at := &e.ring[i]
		if at.hash == hash && at.value == value && sameName(name, at.name) {
			return appendInteger(dst, 0x80, 7, uint64(e.index(i)))
		}
	}
	index := static
	if index == 0 {
		index = e.named(nameHash, name)
	}
	return e.literal(dst, literal{name: name, value: value, nameHash: nameHash, hash: hash, index: index})
}

// literal is a field that the tables do not have.
type literal struct {
	name, value    string
	nameHash, hash uint32
	index          int
}

func (e *encoder) literal(dst []byte, f literal) []byte {
	first, bits := byte(0x00), uint(4)
	switch {
	case sensitive(f.name):
		first = 0x10
	case e.worthKeeping(f):
		first, bits = 0x40, 6
		defer e.add(f)
	}
	dst = appendInteger(dst, first, bits, uint64(f.index))
	if f.index == 0 {
		dst = appendName(dst, f.name)
	}
	return appendString(dst, f.value)
}

// sensitive says of which fields no guess may be checked by the length of a
// block (RFC 7541, section 7.1).
func sensitive(name string) bool {
	switch len(name) {
	case len("cookie"):
		return sameName(name, "cookie")
	case len("set-cookie"):
		return sameName(name, "set-cookie")
	case len("authorization"):
		return sameName(name, "authorization")
	}
	return false
}

// worthKeeping says of which fields it is likely that they come again.
func (e *encoder) worthKeeping(f literal) bool {
	if len(f.name)+len(f.value)+entryOverhead > e.limit/2 {
		return false
	}
	slot := &e.seen[f.hash%uint32(len(e.seen))]
	again := *slot == f.hash
	*slot = f.hash
	return again
}

func (e *encoder) add(f literal) {
	size := len(f.name) + len(f.value) + entryOverhead
	e.evict(size)
	if e.first > 64 && e.first*2 > len(e.ring) {
		n := copy(e.ring, e.ring[e.first:])
		clear(e.ring[n:])
		e.ring, e.first = e.ring[:n], 0
	}
	name := staticTable[staticEntry(f.nameHash, f.name)].name
	if name == "" {
		name = strings.Clone(strings.ToLower(f.name))
	}
	e.ring = append(e.ring, entry{hash: f.hash, nameHash: f.nameHash, name: name, value: strings.Clone(f.value)})
	e.size += size
}

// evict makes room for an entry (RFC 7541, section 4.4).
func (e *encoder) evict(room int) {
	for e.size+room > e.limit && e.first < len(e.ring) {
		at := &e.ring[e.first]
		e.size -= len(at.name) + len(at.value) + entryOverhead
		*at = entry{}
		e.first++
	}
}

// index is the number of an entry as the wire has it: the newest is 62.
func (e *encoder) index(i int) int { return len(staticTable) + len(e.ring) - 1 - i }

// named returns an entry that has a name; 0 for none.
func (e *encoder) named(nameHash uint32, name string) int {
	for i := len(e.ring) - 1; i >= e.first; i-- {
		if e.ring[i].nameHash == nameHash && sameName(name, e.ring[i].name) {
			return e.index(i)
		}
	}
	return 0
}

// hashName hashes a name in lower case (FNV-1a).
func hashName(s string) uint32 {
	h := uint32(2166136261)
	for i := 0; i < len(s); i++ {
		h = (h ^ uint32(lower(s[i]))) * 16777619
	}
	return h
}

func hashValue(h uint32, s string) uint32 {
	h = (h ^ 0xff) * 16777619
	for i := 0; i < len(s); i++ {
		h = (h ^ uint32(s[i])) * 16777619
	}
	return h
}

func lower(c byte) byte {
	if c >= 'A' && c <= 'Z' {
		return c | 0x20
	}
	return c
}

// sameName reports whether a name in any case is one in lower case.
func sameName(name, lowered string) bool {
	if len(name) != len(lowered) {
		return false
	}
	for i := 0; i < len(name); i++ {
		if lower(name[i]) != lowered[i] {
			return false
		}
	}
	return true
}

// appendInteger appends an integer behind the first bits of an octet (RFC 7541,
// section 5.1).
func appendInteger(dst []byte, first byte, bits uint, n uint64) []byte {
	most := uint64(1)<<bits - 1
	if n < most {
		return append(dst, first|byte(n))
	}
	dst = append(dst, first|byte(most))
	for n -= most; n >= 0x80; n >>= 7 {
		dst = append(dst, 0x80|byte(n))
	}
	return append(dst, byte(n))
}

// appendName appends a name in lower case, without Huffman code: names that
// matter are in a table.
func appendName(dst []byte, name string) []byte {
	dst = appendInteger(dst, 0, 7, uint64(len(name)))
	for i := 0; i < len(name); i++ {
		dst = append(dst, lower(name[i]))
	}
	return dst
}

// appendString appends a value in the shorter form. Short ones are left plain,
// as what is saved is less than the work.
func appendString(dst []byte, s string) []byte {
	const short = 16
	if len(s) > short {
		if n := hpack.HuffmanEncodeLength(s); n < uint64(len(s)) {
			return hpack.AppendHuffmanString(appendInteger(dst, 0x80, 7, n), s)
		}
	}
	return append(appendInteger(dst, 0, 7, uint64(len(s))), s...)
}
