// Package requestpath normalises the path of a request, once, at the door. All
// that comes after (look-up, filters, the access log, the backend) reads the
// normal form, so that no two of them can see different paths.
//
// It decides about syntax alone: it knows no route, no filter and no query.
//
// The normal form is RFC 3986, section 6.2.2, and then some:
//
//   - Escapes of unreserved characters are decoded, hexadecimal digits are upper
//     case, and characters that a path must not hold ("{", "^") are escaped.
//   - "." and ".." segments are resolved, written plainly or as "%2e"; ".." above
//     the root stays at the root (section 5.2.4).
//   - Then adjacent slashes are merged. Gateway API has no way to write a match
//     with "//" (the CRDs refuse it), and backends treat "//admin" as "/admin"
//     more often than not, so a rule on "/admin" must see both. Envoy Gateway and
//     NGINX merge by default too.
//
// Refused, for 400, is what an engine or a backend is known to read in two ways:
//
//   - an encoded slash or backslash ("%2F", "%5C") and a plain backslash: backends
//     that decode them would see segments that no rule saw. The CRDs refuse
//     "%2F" in a match for the same reason. Where the platform has it so
//     (KeepSlashes), the encoded ones stay as they are, but for those beside a
//     dot segment ("..%2F");
//   - a dot segment with a path parameter ("/..;/", "/.;x"), which servlet
//     containers strip before they resolve dots;
//   - an escape that is none ("%zz"), NUL and other control characters, escaped
//     or not, spaces, "#", "?" and octets above ASCII;
//   - a path that does not begin with "/".
//
// "%252F" is an escaped percent sign and stays as it is: nobody who decodes
// once sees a slash there.
package requestpath
