package gateway

import (
	"errors"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"github.com/tidegate/tidegate/protocol"
	"github.com/tidegate/tidegate/space"
)

// metrics are what a gateway counts, on a registry of its own: two gateways in
// one process (tests) do not meet. Safe for concurrent use.
type metrics struct {
	registry *prometheus.Registry

	connectionsTotal prometheus.Counter
	refused          *prometheus.CounterVec // by reason
	closes           *prometheus.CounterVec // by code
	deliveries       prometheus.Counter
	presenceDropped  prometheus.Counter
	convergence      prometheus.Histogram

	commits        prometheus.Counter
	folded         prometheus.Counter
	commitBytes    prometheus.Counter
	commitSeconds  prometheus.Histogram
	mutations      prometheus.Counter
	verdicts       *prometheus.CounterVec // by outcome
	conflicts      *prometheus.CounterVec // by policy
	open           *prometheus.CounterVec // conflicts that a person is asked about, by policy
	appendTrouble  *prometheus.CounterVec // by what: taken, unknown, retry
	replays        prometheus.Counter
	unavailable    prometheus.Counter
	checkpoints    prometheus.Counter
	checkpointSize prometheus.Counter
	watermarks     prometheus.Counter
	evicted        prometheus.Counter
	trimmed        prometheus.Counter
	damaged        prometheus.Counter
	foreign        prometheus.Counter

	storeCalls   *prometheus.CounterVec   // by op and result
	storeSeconds *prometheus.HistogramVec // by op

	heard       prometheus.Counter
	handedOver  *prometheus.CounterVec // by what: sent, late, taken
	busSent     *prometheus.CounterVec // by kind
	busReceived *prometheus.CounterVec // by kind
	busRefused  *prometheus.CounterVec // by reason
}

// policies are the labels of conflicts, written down so that each series exists,
// at 0, from the start.
var policies = []protocol.Policy{
	protocol.PolicyLWW, protocol.PolicyFirst, protocol.PolicyStrict, protocol.PolicyAsk,
	protocol.PolicySet, protocol.PolicyList, protocol.PolicyDeleteWins, protocol.PolicyUpdateWins,
}

func newMetrics() *metrics {
	m := &metrics{registry: prometheus.NewRegistry()}
	counter := func(name, help string) prometheus.Counter {
		c := prometheus.NewCounter(prometheus.CounterOpts{Namespace: "tidegate", Name: name, Help: help})
		m.registry.MustRegister(c)
		return c
	}
	counters := func(name, label, help string, values ...string) *prometheus.CounterVec {
		c := prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: "tidegate", Name: name, Help: help}, []string{label})
		m.registry.MustRegister(c)
		for _, value := range values {
			c.WithLabelValues(value)
		}
		return c
	}
	histogram := func(name, help string, buckets []float64) prometheus.Histogram {
		h := prometheus.NewHistogram(prometheus.HistogramOpts{Namespace: "tidegate", Name: name, Help: help, Buckets: buckets})
		m.registry.MustRegister(h)
		return h
	}
	var outcomes []string
	for outcome := protocol.Applied; outcome <= protocol.Rejected; outcome++ {
		outcomes = append(outcomes, outcome.String())
	}
	policyNames := make([]string, len(policies))
	for i, p := range policies {
		policyNames[i] = string(p)
	}

	m.connectionsTotal = counter("connections_opened_total", "WebSocket connections that were accepted.")
	m.refused = counters("connections_refused_total", "reason", "Connections turned away before the handshake.",
		"origin", "rate", "full", "draining", "handshake")
	m.closes = counters("connections_closed_total", "code", "Connections closed, by the WebSocket close code that the gateway sent; \"peer\" if the peer went first, \"slow\" if it took no bytes.", "peer", "slow")
	m.deliveries = counter("deliveries_total", "Commits delivered to connections.")
	m.presenceDropped = counter("presence_dropped_total", "Presence frames dropped by the rate limit.")
	m.convergence = histogram("convergence_seconds",
		"From a commit being durable to a subscriber having durably applied it, on commits marked \"ack now\".",
		prometheus.ExponentialBuckets(0.001, 2, 16))

	m.commits = counter("commits_total", "Commits that this gateway appended.")
	m.folded = counter("commits_folded_total", "Commits of other gateways that this one folded.")
	m.commitBytes = counter("commit_bytes_total", "Bytes of the commits that this gateway appended.")
	m.commitSeconds = histogram("append_seconds", "How long an append took until it was durable.",
		prometheus.ExponentialBuckets(0.0005, 2, 15))
	m.mutations = counter("mutations_total", "Mutations in the commits that this gateway appended.")
	m.verdicts = counters("verdicts_total", "outcome", "Mutations by what became of them.", outcomes...)
	m.conflicts = counters("conflicts_total", "policy", "Conflicts by the policy that settled them.", policyNames...)
	m.open = counters("open_conflicts_total", "policy", "Conflicts put before a person, by policy.")
	m.appendTrouble = counters("append_retries_total", "reason",
		"Appends and other requests to the store that did not succeed at once: the seq was taken by another gateway, the outcome was unknown, or the request failed and is repeated.",
		"taken", "unknown", "failed")
	m.replays = counter("replays_total", "Pushes that did not continue their device's counter and hash.")
	m.unavailable = counter("pushes_unavailable_total", "Pushes that were not taken because the store had not answered for some seconds.")
	m.checkpoints = counter("checkpointed_records_total", "Record and device images stored.")
	m.checkpointSize = counter("checkpointed_bytes_total", "Bytes of the images stored.")
	m.watermarks = counter("watermarks_total", "Watermarks stored: all before them is checkpointed.")
	m.evicted = counter("evicted_records_total", "Images forgotten to keep within the memory budget.")
	m.trimmed = counter("trims_total", "Times the horizon was raised.")
	m.damaged = counter("damaged_total", "Log entries or images that could not be read. Anything but 0 needs a person.")

	m.foreign = counter("foreign_images_total", "Images that somebody else changed in the store, and that were made again from the log.")

	m.storeCalls = prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: "tidegate", Name: "store_calls_total",
		Help: "Calls to the store, by what became of them: \"taken\" is another gateway's turn, \"unknown\" an append that is being looked into."},
		[]string{"op", "result"})
	m.storeSeconds = prometheus.NewHistogramVec(prometheus.HistogramOpts{Namespace: "tidegate", Name: "store_seconds",
		Help: "How long calls to the store took.", Buckets: prometheus.ExponentialBuckets(0.0005, 2, 15)}, []string{"op"})
	m.registry.MustRegister(m.storeCalls, m.storeSeconds)
	for _, op := range []string{"append", "log", "put", "get", "scan", "trim"} {
		m.storeCalls.WithLabelValues(op, storeOK)
		m.storeCalls.WithLabelValues(op, storeFailed)
		m.storeSeconds.WithLabelValues(op)
	}
	m.heard = counter("commits_heard_total", "Of the commits of other gateways those that came over the bus, and needed no read of the store.")
	m.handedOver = counters("mutations_handed_over_total", "direction",
		"Mutations that gateways pass to the one that is nearer to the store: sent to it, late in showing up and so appended here, or taken from another.",
		"sent", "late", "taken")
	m.busSent = counters("bus_sent_total", "kind", "Messages to other gateways.", busKinds...)
	m.busReceived = counters("bus_received_total", "kind", "Messages of other gateways.", busKinds...)
	m.busRefused = counters("bus_refused_total", "reason",
		"Messages of other gateways that were passed over: malformed, of a newer version (\"upgrade\"), or under a subject that is not theirs.",
		refusedMalformed, refusedUpgrade, refusedSubject)

	m.registry.MustRegister(
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
	)
	return m
}

// gauge registers a value that is asked for when somebody looks.
func (m *metrics) gauge(name, help string, labels prometheus.Labels, value func() float64) {
	m.registry.MustRegister(prometheus.NewGaugeFunc(
		prometheus.GaugeOpts{Namespace: "tidegate", Name: name, Help: help, ConstLabels: labels}, value))
}

// counterFunc registers a counter that is kept elsewhere.
func (m *metrics) counterFunc(name, help string, value func() float64) {
	m.registry.MustRegister(prometheus.NewCounterFunc(
		prometheus.CounterOpts{Namespace: "tidegate", Name: name, Help: help}, value))
}

// What becomes of a call to the store, as storeCalls names it.
const (
	storeOK      = "ok"
	storeTaken   = "taken"
	storeUnknown = "unknown"
	storeFull    = "full"
	storeFailed  = "failed"
)

// stored takes a call to the store.
func (m *metrics) stored(op string, took time.Duration, err error) {
	result := storeFailed
	switch {
	case err == nil:
		result = storeOK
	case errors.Is(err, space.ErrTaken):
		result = storeTaken
	case errors.Is(err, space.ErrUnknown):
		result = storeUnknown
	case errors.Is(err, space.ErrFull):
		result = storeFull
	}
	m.storeCalls.WithLabelValues(op, result).Inc()
	m.storeSeconds.WithLabelValues(op).Observe(took.Seconds())
}

// count takes what a space tells of itself.
func (m *metrics) count(event space.Event) {
	switch event.Kind {
	case space.EventCommitted:
		m.commits.Inc()
		m.mutations.Add(float64(event.N))
		m.commitBytes.Add(float64(event.Bytes))
		m.commitSeconds.Observe(float64(event.Took) / 1000)
	case space.EventVerdict:
		m.verdicts.WithLabelValues(event.Outcome.String()).Inc()
	case space.EventConflict:
		vec := m.conflicts
		if event.Open {
			vec = m.open
		}
		vec.WithLabelValues(string(event.Policy)).Inc()
	case space.EventFolded:
		m.folded.Inc()
	case space.EventOffered:
		m.heard.Inc()
	case space.EventHandOver:
		m.handedOver.WithLabelValues("sent").Add(float64(event.N))
	case space.EventHandOverLate:
		m.handedOver.WithLabelValues("late").Add(float64(event.N))
	case space.EventTaken:
		m.handedOver.WithLabelValues("taken").Add(float64(event.N))
	case space.EventRace:
		m.appendTrouble.WithLabelValues("taken").Inc()
	case space.EventUnknown:
		m.appendTrouble.WithLabelValues("unknown").Inc()
	case space.EventRetry:
		m.appendTrouble.WithLabelValues("failed").Inc()
	case space.EventReplay:
		m.replays.Inc()
	case space.EventCheckpoint:
		m.checkpoints.Add(float64(event.N))
		m.checkpointSize.Add(float64(event.Bytes))
	case space.EventWatermark:
		m.watermarks.Inc()
	case space.EventTrimmed:
		m.trimmed.Inc()
	case space.EventEvicted:
		m.evicted.Add(float64(event.N))
	case space.EventDamaged:
		m.damaged.Inc()
	case space.EventForeign:
		m.foreign.Inc()
	}
}
