package h2

// staticTable is that of RFC 7541, appendix A. Entry 0 stands for none.
var staticTable = [62]struct{ name, value string }{
	{}, {":authority", ""}, {":method", "GET"}, {":method", "POST"}, {":path", "/"}, {":path", "/index.html"},
	{":scheme", "http"}, {":scheme", "https"}, {":status", "200"}, {":status", "204"}, {":status", "206"},
	{":status", "304"}, {":status", "400"}, {":status", "404"}, {":status", "500"}, {"accept-charset", ""},
	{"accept-encoding", "gzip, deflate"}, {"accept-language", ""}, {"accept-ranges", ""}, {"accept", ""},
	{"access-control-allow-origin", ""}, {"age", ""}, {"allow", ""}, {"authorization", ""}, {"cache-control", ""},
	{"content-disposition", ""}, {"content-encoding", ""}, {"content-language", ""}, {"content-length", ""},
	{"content-location", ""}, {"content-range", ""}, {"content-type", ""}, {"cookie", ""}, {"date", ""}, {"etag", ""},
	{"expect", ""}, {"expires", ""}, {"from", ""}, {"host", ""}, {"if-match", ""}, {"if-modified-since", ""},
	{"if-none-match", ""}, {"if-range", ""}, {"if-unmodified-since", ""}, {"last-modified", ""}, {"link", ""},
	{"location", ""}, {"max-forwards", ""}, {"proxy-authenticate", ""}, {"proxy-authorization", ""}, {"range", ""},
	{"referer", ""}, {"refresh", ""}, {"retry-after", ""}, {"server", ""}, {"set-cookie", ""},
	{"strict-transport-security", ""}, {"transfer-encoding", ""}, {"user-agent", ""}, {"vary", ""}, {"via", ""},
	{"www-authenticate", ""},
}

// staticNames finds the first static entry of a name by the name's hash.
var staticNames = indexStatic()

func indexStatic() (table [256][]uint8) {
	for i := len(staticTable) - 1; i > 0; i-- {
		if i > 1 && staticTable[i-1].name == staticTable[i].name {
			continue
		}
		h := hashName(staticTable[i].name) & 255
		table[h] = append(table[h], uint8(i))
	}
	return table
}

// staticEntry returns the first static entry of a name, whose hash is h; 0 for
// none. name may be in any case.
func staticEntry(h uint32, name string) int {
	for _, i := range staticNames[h&255] {
		if sameName(name, staticTable[i].name) {
			return int(i)
		}
	}
	return 0
}

// staticPair returns the static entry that has a value too, from the first of
// its name on; 0 for none.
func staticPair(first int, value string) int {
	for i := first; i > 0 && i < len(staticTable) && staticTable[i].name == staticTable[first].name; i++ {
		if staticTable[i].value == value {
			return i
		}
	}
	return 0
}
