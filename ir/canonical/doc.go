// Package canonical writes values of the ir, and of messages made of them, in
// the one form that their content has: sums are taken over it, and it is what
// travels. Structs are written as the names and values of the fields that say
// something, so that a field that comes later changes nothing until it is used.
//
// Reading is strict. A field that the reader's type does not have is an error
// that names it, because what is not understood must not be left out in silence.
// The form carries secrets as they are: whoever holds it keeps it out of logs and
// off plain connections.
package canonical
