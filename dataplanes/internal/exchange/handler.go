package exchange

import "context"

// Handler answers requests.
type Handler interface {
	// Serve answers one request. The context ends when the client has gone. The
	// answer's Response is never nil.
	Serve(context.Context, Incoming) Answer
}

// Incoming is a request and the connection that it came on.
type Incoming struct {
	Request *Request
	Conn    *Conn
	// Refused is the status that the door asks for, with why in Reason; 0 for a
	// request that may pass. Such a request must be answered and not served.
	Refused int
	Reason  string
}

// Answer is a response and who wants to know what became of it.
type Answer struct {
	Response *Response
	// Ender is told when nothing more will be sent.
	Ender Ender
}

// Ender is told of the end of an exchange.
type Ender interface {
	// Done is called once, before the strings of the request and of the response
	// become invalid.
	Done(Sent)
}

// Sent is what became of a response.
type Sent struct {
	// Bytes of the body, or of a tunnel towards the client.
	Bytes int64
	// Status is what the client was told instead where nothing of the response
	// could be sent; else 0.
	Status int
	// Err is set where the response was cut off.
	Err error
}
