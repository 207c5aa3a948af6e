// @ts-check
/**
 * The words that the modules of the page share. Types only: nothing is exported at run time.
 *
 * @module types
 */

/** @typedef {import("./columns.js").Frame} Frame */
/** @typedef {import("./columns.js").Outlier} Outlier */

/**
 * One number a node that can be put on an axis, a colour or a size.
 * @typedef {"quote_price_mean" | "quote_price_std" | "quote_dist_to_mid_mean" | "match_rate"
 *   | "match_count" | "buy_count" | "sell_count" | "none_count" | "experience_start"
 *   | "experience_end" | "experience_delta" | "agent_id"} Feature
 */

/** @typedef {"buy" | "sell" | "none"} Side */
/** @typedef {"match" | "quote_proximity"} EdgeType */

/**
 * What the user has chosen to see. Everything in it can stand in the address of the page.
 * @typedef {object} Settings
 * @property {"axes" | "force"} layout
 * @property {Feature} x feature on the horizontal axis
 * @property {Feature} y feature on the vertical axis
 * @property {Feature | "dominant_side"} color
 * @property {Feature | "constant"} size
 * @property {EdgeType[]} types edge types that are shown
 * @property {number} minWeight least weight of an edge that is shown, 0 to 1
 * @property {Side[]} sides dominant sides that are shown
 * @property {Partial<Record<Feature, [number, number]>>} ranges of features, both ends included;
 *   an agent outside of one is not shown. Unknown figures (NaN) are outside of every range
 * @property {boolean} linkedOnly show only agents with an edge that is shown
 * @property {number[]} selection agent ids, in the order in which they were selected
 * @property {boolean} trails draw the selected agents' ways over the last frames
 * @property {{run: string, t: number} | null} compare the moment that is compared with the one shown
 * @property {"inspector" | "table"} panel which side panel is open
 * @property {string[]} charts keys of the chart series that are shown
 * @property {"en" | "zh"} language
 */

/**
 * The one time cursor.
 *
 * `live` follows the newest frame. `recorded` stands, or plays, at `t` of `run`; the page goes on
 * recording what comes live all the same.
 * @typedef {object} Cursor
 * @property {"live" | "recorded"} mode
 * @property {string | null} run id of the run; null while no server has told one
 * @property {number | null} t tick of the frame that is shown; null before the first
 * @property {boolean} playing
 * @property {number} speed 0.25 to 16, times the recorded pace; live is always 1
 * @property {{from: number, to: number} | null} loop section that is played again and again
 * @property {boolean} seeking a moment was asked for and has not come yet
 */

/**
 * What is on the screen: a frame, and where it comes from. Views read it and never change it.
 * @typedef {object} Moment
 * @property {string} run
 * @property {number} t
 * @property {Frame} frame
 * @property {"live" | "recorded"} mode
 * @property {boolean} jump it does not follow the moment before it (a seek, another run): do not
 *   animate from the one to the other
 */

/** @typedef {{t: number, price_norm: number, volatility: number, liquidity: number,
 *   imbalance: number, N: number, avg_exp: number, matches_n: number}} Metric */

/** @typedef {Exclude<keyof Metric, "t">} SeriesKey */

/** @typedef {"match" | "quote_proximity" | "both"} Graph */
/** @typedef {"density" | "components" | "largest_component" | "degree_mean" | "degree_gini"
 *   | "transitivity" | "degree_assortativity" | "side_assortativity" | "experience_assortativity"
 *   | "degree_centralization" | "modularity" | "communities"} Measure */
/** @typedef {`${Graph}_${Measure}`} MeasureKey */
/** @typedef {SeriesKey | MeasureKey} ChartKey what a chart can show */

/**
 * A series over a span of ticks, reduced to buckets: at most `points` of them. Of an empty bucket
 * all is NaN.
 * @typedef {object} SeriesSlice
 * @property {string} run
 * @property {number} from first tick
 * @property {number} to last tick
 * @property {Float64Array} t first tick of each bucket, ascending
 * @property {Record<SeriesKey, {min: Float64Array, max: Float64Array, last: Float64Array}>} series
 * @property {boolean} sampled it was not made from every tick of the span
 */

/**
 * One line of a chart. Values that are not known are NaN.
 * @typedef {object} Course
 * @property {Float64Array} t ascending
 * @property {number} to last tick
 * @property {Float64Array} min
 * @property {Float64Array} max
 * @property {Float64Array} last
 * @property {number} gap ticks beyond which two values are not joined by a line
 * @property {boolean} isExact values are those of the ticks `t`, not of buckets that begin there
 */

/**
 * The span of ticks that charts and timeline show, of the cursor's run.
 * @typedef {object} Span
 * @property {number} from
 * @property {number} to
 * @property {boolean} follow it moves along with the cursor
 */

/** @typedef {{type: "burst" | "shock", t: number, value: number, score: number}} MarketEvent */

/**
 * Ticks of which messages of one kind are missing, both ends included.
 * @typedef {object} Hole
 * @property {number} from_t
 * @property {number} to_t
 * @property {string} kind
 * @property {string} reason
 * @property {number} [lines] how many the disk did not take: the recording has no others. Without
 *   it, they were only not sent to this page
 * @property {string} [run] run that was replayed; without it, the one that came live
 */

/**
 * A run of the recording, as the server lists it.
 * @typedef {object} Run
 * @property {string} run
 * @property {string} started_at
 * @property {string | null} ended_at
 * @property {boolean} current
 * @property {number} first_t first recorded tick of frames or metrics
 * @property {number} last_t last one; of the current run it grows
 * @property {number | null} firstFrame first recorded tick of a frame; null without frames
 * @property {number | null} lastFrame
 * @property {number} stride ticks from one frame to the next
 * @property {number} W
 * @property {number} metricStep ticks from one metric to the next
 * @property {number} tickRate recorded pace, ticks a second; 100 if unknown
 * @property {number | null} edgeCap
 * @property {boolean} isRecorded the server lists it: something of it can be asked for
 * @property {Hole[]} holes ticks that the disk did not take; while nothing is recorded also those
 *   that were never sent to this page
 */

/**
 * All that there is to look at.
 * @typedef {object} Recording
 * @property {Run[]} runs the oldest first
 * @property {Map<string, MarketEvent[]>} events by run, by tick
 * @property {Set<string>} eventsMissing runs of which some events are not here
 * @property {boolean} loaded the server has been asked at least once
 * @property {string | null} error why the last attempt to ask failed
 */

/**
 * How the page stands. It is always on the screen (people/status.js).
 * @typedef {object} Status
 * @property {"connecting" | "open" | "reconnecting" | "refused"} connection of the live stream
 * @property {number | null} retryAt when it is tried again, in performance.now() milliseconds
 * @property {string | null} reason why it is not open, in the server's words
 * @property {number | null} lastMessageAt when anything came live, in performance.now() milliseconds
 * @property {number | null} lastFrameAt when a frame came live, likewise
 * @property {number | null} pace ticks a second, as they came of late
 * @property {{count: number, reason: string} | null} unreadable what could not be read of what came
 *   live on this connection, and why the last of it could not
 * @property {number | null} serverT last tick that the server has told of
 * @property {number} dropped frames left out on this page because it could not keep up
 * @property {Hole[]} gaps declared by the server on this connection, the newest last, at most 100
 * @property {boolean} sourceRunning the source of ticks has not ended
 * @property {string | null} recordingOff why nothing is recorded at present, or null
 * @property {string[]} degraded reasons that the server gives for not being well
 * @property {string | null} replayError why the moment asked for cannot be shown
 */

/**
 * What the moment shown is compared with, as far as it is here (data/comparison.js).
 * @typedef {object} Compared
 * @property {"none" | "fetching" | "held" | "missing" | "failed"} state missing: there is no frame
 *   of that tick
 * @property {Frame | null} frame while it is held
 * @property {string | null} reason why it failed, in the camera's words
 */

/**
 * What of the moment passes the filters; made once a change by structure/filter.js.
 * @typedef {object} Filtered
 * @property {Moment} moment
 * @property {Uint8Array} nodes 1 where the node of that row is shown
 * @property {Uint8Array} edges 1 where the edge of that row is shown
 * @property {Uint8Array} linked 1 where the node has an edge that is shown
 * @property {FilterCounts} counts
 */

/**
 * @typedef {object} FilterCounts
 * @property {number} nodes all nodes of the frame
 * @property {number} shownNodes
 * @property {number} linkedNodes shown nodes with an edge that is shown
 * @property {number} edges all edges of the frame
 * @property {number} shownEdges
 * @property {Record<EdgeType, number>} byType all edges by type
 * @property {Record<EdgeType, number>} shownByType
 * @property {Record<Side, number>} bySide all nodes by dominant side
 * @property {boolean} capReached the frame has as many edges as the camera keeps at most
 */

/**
 * Commands of the time cursor (time/director.js). All return at once; the result comes through
 * `cursor`, `moment` and `status`.
 * @typedef {object} Director
 * @property {() => void} goLive
 * @property {() => void} play from the cursor on; at the live edge it goes live
 * @property {() => void} pause
 * @property {() => void} toggle play or pause
 * @property {(run: string, t: number) => void} seek show the last frame at or before `t`
 * @property {(frames: number) => void} step so many frames on (negative: back); pauses
 * @property {(speed: number) => void} setSpeed
 * @property {(loop: {from: number, to: number} | null) => void} setLoop
 */

/**
 * What is given to every view. A view is made by `createNAME(root, app)`, draws into `root`, and
 * follows the observables; it tells of the user's wishes by `settings.set`, `span.set`, `hovered.set`
 * and the director's commands, and by nothing else.
 * @typedef {object} App
 * @property {import("./state/observable.js").Observable<Settings>} settings
 * @property {import("./state/observable.js").Observable<Cursor>} cursor
 * @property {import("./state/observable.js").Observable<Moment | null>} moment
 * @property {import("./state/observable.js").Observable<Filtered | null>} filtered
 * @property {import("./state/observable.js").Observable<Compared>} compared
 * @property {import("./state/observable.js").Observable<Span>} span
 * @property {import("./state/observable.js").Observable<Recording>} recording
 * @property {import("./state/observable.js").Observable<Status>} status
 * @property {import("./state/observable.js").Observable<{agent: number | null, t: number | null}>} hovered
 *   agent under the pointer, and tick under the pointer of a chart or the timeline
 * @property {Director} director
 * @property {import("./data/moments.js").Moments} moments frames that the page holds
 * @property {import("./data/series.js").Series} series metrics over any span
 * @property {import("./data/server.js").Server} server
 * @property {import("./people/text.js").Text} text
 */

export {};
