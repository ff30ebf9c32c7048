// Package agent is what dataplanes that hand units over share: the wishes of
// their owners, the outcomes that go back, and the process of a proxy that is not
// ours, which is started, heard and ended here.
//
// It must not know which proxy it is, what a unit holds, or how it is translated.
package agent
