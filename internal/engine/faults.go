package engine

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"strings"
	"sync"
	"syscall"
	"time"
)

// Fault is something that befalls a request on its way to DynamoDB or back.
type Fault uint8

// The faults.
const (
	None Fault = iota
	// LostReply: it is done, and the connection ends before the answer.
	LostReply
	// LostRequest: it is not done, and looks like LostReply.
	LostRequest
	// LateWrite: it looks lost, and is done a moment later.
	LateWrite
	// Refused: there is no connection; it is not done.
	Refused
	// ThroughputExceeded, Throttling and TransactionConflict are DynamoDB's own
	// refusals; it is not done.
	ThroughputExceeded
	Throttling
	TransactionConflict
	// InternalError is answered with 500 instead of being done, InternalErrorAfter
	// after it was done.
	InternalError
	InternalErrorAfter
	// Unavailable: somebody in between answers 503, in HTML.
	Unavailable
	// Unprocessed: of a batch only the first half is done. Other requests are done.
	Unprocessed
	// Slow: it is done, and answered after SlowBy.
	Slow
	// Garbled: it is done, and the answer is cut short.
	Garbled

	faults
)

var faultNames = [faults]string{
	"none", "lost reply", "lost request", "late write", "refused", "throughput exceeded", "throttling", "transaction conflict",
	"internal error", "internal error after", "unavailable", "unprocessed", "slow", "garbled",
}

// String returns the fault's name.
func (f Fault) String() string { return faultNames[f] }

// Every is all faults.
func Every() []Fault {
	all := make([]Fault, 0, faults-1)
	for f := None + 1; f < faults; f++ {
		all = append(all, f)
	}
	return all
}

// Faults is an http.RoundTripper that does harm. It is safe for concurrent use.
type Faults struct {
	// Next carries requests on; nil for a transport of its own.
	Next http.RoundTripper
	// Choose says what befalls a request, by DynamoDB's name for it, such as
	// "PutItem". It is called for one request at a time; nil does no harm.
	Choose func(action string) Fault
	// SlowBy is how long Slow and LateWrite take (100 ms).
	SlowBy time.Duration

	mu      sync.Mutex
	counts  map[Fault]int // guarded by mu
	late    sync.WaitGroup
	standby *http.Transport // guarded by mu
}

// Randomly chooses faults from a seed: one of these for so many of 1000 requests.
func Randomly(seed uint64, of1000 int, choices ...Fault) func(string) Fault {
	random := rand.New(rand.NewPCG(seed, seed))
	return func(string) Fault {
		if random.IntN(1000) >= of1000 {
			return None
		}
		return choices[random.IntN(len(choices))]
	}
}

// Counts returns how often each fault befell a request.
func (f *Faults) Counts() map[Fault]int {
	f.mu.Lock()
	defer f.mu.Unlock()
	counts := make(map[Fault]int, len(f.counts))
	for fault, n := range f.counts {
		counts[fault] = n
	}
	return counts
}

// Wait returns once all late writes were made.
func (f *Faults) Wait() { f.late.Wait() }

// Close ends the connections of a transport of its own.
func (f *Faults) Close() {
	f.Wait()
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.standby != nil {
		f.standby.CloseIdleConnections()
	}
}

func (f *Faults) choose(action string) (Fault, http.RoundTripper) {
	f.mu.Lock()
	defer f.mu.Unlock()
	next := f.Next
	if next == nil {
		if f.standby == nil {
			f.standby = &http.Transport{MaxIdleConnsPerHost: 256}
		}
		next = f.standby
	}
	fault := None
	if f.Choose != nil {
		fault = f.Choose(action)
	}
	if f.counts == nil {
		f.counts = make(map[Fault]int)
	}
	f.counts[fault]++
	return fault, next
}

// errGone is what a client sees of a connection that ended.
var errGone = errors.New("read tcp 127.0.0.1: connection reset by peer")

// RoundTrip implements http.RoundTripper.
func (f *Faults) RoundTrip(req *http.Request) (*http.Response, error) {
	_, action, _ := strings.Cut(req.Header.Get("X-Amz-Target"), ".")
	fault, next := f.choose(action)
	switch fault {
	case LostReply, InternalErrorAfter, Garbled:
		resp, err := next.RoundTrip(req)
		if err != nil {
			return nil, err
		}
		body, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		switch {
		case err != nil:
			return nil, err
		case fault == LostReply:
			return nil, errGone
		case fault == InternalErrorAfter:
			return answer(req, 500, "InternalServerError"), nil
		}
		resp.Body = io.NopCloser(bytes.NewReader(body[:len(body)/2]))
		return resp, nil
	case LostRequest:
		discard(req)
		return nil, errGone
	case LateWrite:
		return nil, f.send(req, next)
	case Refused:
		discard(req)
		return nil, &net.OpError{Op: "dial", Net: "tcp", Err: syscall.ECONNREFUSED}
	case ThroughputExceeded:
		discard(req)
		return answer(req, 400, "ProvisionedThroughputExceededException"), nil
	case Throttling:
		discard(req)
		return answer(req, 400, "ThrottlingException"), nil
	case TransactionConflict:
		discard(req)
		return answer(req, 400, "TransactionConflictException"), nil
	case InternalError:
		discard(req)
		return answer(req, 500, "InternalServerError"), nil
	case Unavailable:
		discard(req)
		resp := answer(req, 503, "")
		resp.Header.Set("Content-Type", "text/html")
		resp.Body = io.NopCloser(strings.NewReader("<html><body>Service Unavailable</body></html>"))
		return resp, nil
	case Unprocessed:
		return f.half(req, next, action)
	case Slow:
		resp, err := next.RoundTrip(req)
		timer := time.NewTimer(f.slowBy())
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-req.Context().Done():
			if err == nil {
				resp.Body.Close()
			}
			return nil, req.Context().Err()
		}
		return resp, err
	}
	return next.RoundTrip(req)
}

func (f *Faults) slowBy() time.Duration {
	if f.SlowBy == 0 {
		return 100 * time.Millisecond
	}
	return f.SlowBy
}

// send has a request made after its sender has given it up.
func (f *Faults) send(req *http.Request, next http.RoundTripper) error {
	body, err := io.ReadAll(req.Body)
	req.Body.Close()
	if err != nil {
		return err
	}
	f.late.Go(func() {
		time.Sleep(f.slowBy())
		late := req.Clone(context.Background())
		late.Body = io.NopCloser(bytes.NewReader(body))
		if resp, err := next.RoundTrip(late); err == nil {
			_, _ = io.Copy(io.Discard, resp.Body)
			resp.Body.Close()
		}
	})
	return errGone
}

// half makes the first half of a batch, and says that the rest is left.
func (f *Faults) half(req *http.Request, next http.RoundTripper, action string) (*http.Response, error) {
	left := map[string]string{"BatchGetItem": "UnprocessedKeys", "BatchWriteItem": "UnprocessedItems"}[action]
	if left == "" {
		return next.RoundTrip(req)
	}
	var body map[string]json.RawMessage
	var tables map[string]json.RawMessage
	err := json.NewDecoder(req.Body).Decode(&body)
	req.Body.Close()
	if err == nil {
		err = json.Unmarshal(body["RequestItems"], &tables)
	}
	if err != nil {
		return nil, fmt.Errorf("faults: the batch cannot be read: %w", err)
	}
	undone := map[string]json.RawMessage{}
	for table, raw := range tables {
		done, rest, err := split(raw)
		if err != nil {
			return nil, fmt.Errorf("faults: the batch cannot be read: %w", err)
		}
		undone[table] = rest
		if done == nil {
			delete(tables, table)
		} else {
			tables[table] = done
		}
	}
	reply := map[string]json.RawMessage{}
	if len(tables) > 0 {
		body["RequestItems"] = encode(tables)
		part := encode(body)
		req = req.Clone(req.Context())
		req.Body, req.ContentLength = io.NopCloser(bytes.NewReader(part)), int64(len(part))
		resp, err := next.RoundTrip(req)
		if err != nil || resp.StatusCode != http.StatusOK {
			return resp, err
		}
		err = json.NewDecoder(resp.Body).Decode(&reply)
		resp.Body.Close()
		if err != nil {
			return nil, err
		}
	}
	reply[left] = encode(undone)
	resp := answer(req, http.StatusOK, "")
	resp.Body = io.NopCloser(bytes.NewReader(encode(reply)))
	return resp, nil
}

// split takes the part of a batch that is for one table in two.
func split(raw json.RawMessage) (done, rest json.RawMessage, err error) {
	var writes []json.RawMessage
	if json.Unmarshal(raw, &writes) == nil {
		n := len(writes) / 2
		if n > 0 {
			done = encode(writes[:n])
		}
		return done, encode(writes[n:]), nil
	}
	var keys []json.RawMessage
	var reads map[string]json.RawMessage
	if err := json.Unmarshal(raw, &reads); err != nil {
		return nil, nil, err
	}
	if err := json.Unmarshal(reads["Keys"], &keys); err != nil {
		return nil, nil, err
	}
	n := len(keys) / 2
	if n > 0 {
		reads["Keys"] = encode(keys[:n])
		done = encode(reads)
	}
	reads["Keys"] = encode(keys[n:])
	return done, encode(reads), nil
}

// encode encodes what was decoded from JSON.
func encode(v any) json.RawMessage {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return b
}

func discard(req *http.Request) {
	if req.Body != nil {
		_, _ = io.Copy(io.Discard, req.Body)
		req.Body.Close()
	}
}

// answer is what DynamoDB answers.
func answer(req *http.Request, status int, kind string) *http.Response {
	body := ""
	if kind != "" {
		body = fmt.Sprintf(`{"__type":"com.amazonaws.dynamodb.v20120810#%s","message":"injected by a test"}`, kind)
	}
	return &http.Response{
		StatusCode: status, Status: http.StatusText(status),
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header:  http.Header{"Content-Type": {"application/x-amz-json-1.0"}},
		Body:    io.NopCloser(strings.NewReader(body)),
		Request: req,
	}
}
