package gateway

import (
	"bufio"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// Buffers of a hijacked connection. They serve the WebSocket library's reads and
// control frames; a connection at rest costs both, so they are small.
const (
	readBuffer  = 1 << 10
	writeBuffer = 256
)

// gatherBelow is the length up to which a message is copied into one buffer for
// one write; longer ones go out with writev, uncopied.
const gatherBelow = 16 << 10

// socketWriter is the ResponseWriter that the WebSocket handshake is given. The
// connection that it hands over when hijacked is a *socket, so that the library's
// pongs and closes and our ready-made data frames share one lock, one deadline
// and one count.
type socketWriter struct {
	http.ResponseWriter
	socket *socket
}

// Hijack takes the connection over from the HTTP server.
func (w *socketWriter) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, buffered, err := http.NewResponseController(w.ResponseWriter).Hijack()
	if err != nil {
		return nil, nil, err
	}
	// The HTTP server's own deadlines end with the handshake.
	if err := conn.SetDeadline(time.Time{}); err != nil {
		conn.Close()
		return nil, nil, err
	}
	// The server may have read the beginning of the first message already. The
	// library takes over what stands in the reader's buffer.
	early := buffered.Reader.Buffered()
	w.socket.Conn = conn
	reader := bufio.NewReaderSize(io.MultiReader(io.LimitReader(buffered.Reader, int64(early)), w.socket), max(readBuffer, early))
	if _, err := reader.Peek(early); err != nil {
		conn.Close()
		return nil, nil, err
	}
	return w.socket, bufio.NewReadWriter(reader, bufio.NewWriterSize(w.socket, writeBuffer)), nil
}

// socket is a hijacked connection. Write is for the WebSocket library, which
// writes control frames only: each is shorter than writeBuffer, so it comes in
// one call and cannot be cut in two by a data frame. writeMessage is for the
// connection's owner.
//
// Every write has the same time to make progress. A deadline on the connection
// costs a fraction of a context with timeout per message, and bounds pongs and
// closes too.
type socket struct {
	net.Conn // static once hijacked

	// Static.
	within  time.Duration
	in, out *atomic.Uint64

	mu   sync.Mutex
	late bool // guarded by mu: a write ran into its deadline
}

// buffers are for messages that are copied together.
var buffers = sync.Pool{New: func() any { b := make([]byte, 0, gatherBelow+16); return &b }}

// Read counts what the peer sent.
func (s *socket) Read(p []byte) (int, error) {
	n, err := s.Conn.Read(p)
	s.in.Add(uint64(n))
	return n, err
}

// Write writes a whole control frame.
func (s *socket) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.startLocked(); err != nil {
		return 0, err
	}
	n, err := s.Conn.Write(p)
	return n, s.endLocked(int64(n), err)
}

// writeMessage writes prefix and frames as one binary message in one data frame
// (RFC 6455, 5.2; a server's frames are not masked).
func (s *socket) writeMessage(prefix, frames []byte) error {
	var head [10]byte
	header := append(head[:0], 0x82) // FIN, binary
	length := len(prefix) + len(frames)
	switch {
	case length < 126:
		header = append(header, byte(length))
	case length < 1<<16:
		header = binary.BigEndian.AppendUint16(append(header, 126), uint16(length))
	default:
		header = binary.BigEndian.AppendUint64(append(header, 127), uint64(length))
	}

	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.startLocked(); err != nil {
		return err
	}
	if _, plain := s.Conn.(*net.TCPConn); plain && length > gatherBelow {
		n, err := (&net.Buffers{header, prefix, frames}).WriteTo(s.Conn)
		return s.endLocked(n, err)
	}
	buffer := buffers.Get().(*[]byte)
	*buffer = append(append(append((*buffer)[:0], header...), prefix...), frames...)
	n, err := s.Conn.Write(*buffer)
	if cap(*buffer) <= 2*gatherBelow {
		buffers.Put(buffer)
	}
	return s.endLocked(int64(n), err)
}

func (s *socket) startLocked() error {
	return s.Conn.SetWriteDeadline(time.Now().Add(s.within))
}

func (s *socket) endLocked(n int64, err error) error {
	s.out.Add(uint64(n))
	var timeout net.Error
	if errors.As(err, &timeout) && timeout.Timeout() {
		s.late = true
	}
	return err
}

// tooSlow reports whether a write ran into its deadline. The stream then ends in
// the middle of a frame: nothing can be said to the peer any more.
func (s *socket) tooSlow() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.late
}
