package cluster

import (
	"errors"
	"fmt"
)

// Bus carries messages between gateways. It is safe for concurrent use.
type Bus interface {
	// Publish sends data to whoever subscribes to the subject at the other gateways.
	// It never blocks and may lose it: what is too large, what comes faster than it
	// can be sent, what is sent while nobody can be reached. Data must not be changed
	// afterwards.
	Publish(subject string, data []byte)

	// Subscribe calls receive with what others publish to the subject, never with
	// what this gateway publishes itself: one call at a time for each subscription,
	// in goroutines of the bus's own. What comes faster than receive takes it is lost.
	// The data are receive's to keep. After cancel has returned no call begins; one
	// may be under way. The error is ErrClosed, or says what is wrong with the subject.
	Subscribe(subject string, receive func(data []byte)) (cancel func(), err error)

	// Connected reports whether other gateways can be heard at all, as far as is
	// known. A gateway that knows of no others is connected.
	Connected() bool

	// Close sends what is still to be sent, as far as that is quick, and ends
	// everything that the bus has started; receive is not called afterwards. It must
	// not be called from receive. A second call does nothing.
	Close() error
}

const (
	// MaxSubject bounds a subject, in bytes: with every byte escaped it still fits
	// into a line of the NATS protocol.
	MaxSubject = 1024
	// MaxMessage bounds the data of one message, in bytes: what NATS servers take
	// unless they are told otherwise.
	MaxMessage = 1 << 20
)

// ErrClosed answers Subscribe after Close.
var ErrClosed = errors.New("the bus is closed")

// ErrOptions is wrapped by the errors of Embed and Dial that say what is wrong with
// what they were asked for, as against with the machine.
var ErrOptions = errors.New("wrong options")

// wrong makes an error about options.
func wrong(format string, args ...any) error {
	return optionsError{fmt.Errorf(format, args...)}
}

// optionsError is an error that wraps ErrOptions without saying so.
type optionsError struct{ error }

func (e optionsError) Unwrap() []error { return []error{e.error, ErrOptions} }

// checkSubject says what is wrong with a subject.
func checkSubject(subject string) error {
	if subject == "" || len(subject) > MaxSubject {
		return fmt.Errorf("a subject of %d bytes: want 1 to %d", len(subject), MaxSubject)
	}
	return nil
}
