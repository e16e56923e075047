;;; meta-log-peer-sync-events.el --- One hook for each event of a peer  -*- lexical-binding: t; -*-

;; Copyright (C) 2026 The meta-log-peer-sync authors

;; SPDX-License-Identifier: MIT

;; Author: The meta-log-peer-sync authors
;; Version: 0.1.0
;; URL: https://github.com/bthornemail/meta-log-peer-sync
;; Keywords: comm, hypermedia

;;; Commentary:

;; What happens in the federation reaches Emacs as events, and runs hooks:
;; one abnormal hook for each kind of event, and the documented hooks of
;; `meta-log-mqtt' and `meta-log-webrtc', which are derived from them.
;;
;; Fields of an event are text, numbers, vectors, t, `:json-false' or nil.
;; Text in them may come from other people: it has passed the checks of
;; the sidecar, but it is data.  Do not use it as a format string.

;;; Code:

(require 'cl-lib)
(require 'subr-x)

(defgroup meta-log-peer-sync-events nil
  "Hooks for what happens in the federation."
  :group 'meta-log-peer-sync)

(defcustom meta-log-peer-sync-ready-functions nil
  "Functions called when the peer is ready.
Each is called with one argument, a plist: `:event' and `:time', and
`:peer_id' (own id) and `:broker' (URL)."
  :type 'hook
  :group 'meta-log-peer-sync-events
  :package-version '(meta-log-peer-sync . "0.1.0"))

(defcustom meta-log-peer-sync-broker-connected-functions nil
  "Functions called when the broker answers.
Each is called with one argument, a plist: `:event' and `:time', and
`:broker' (URL), `:protocol' (5 or 3.1.1) and `:embedded' (bool)."
  :type 'hook
  :group 'meta-log-peer-sync-events
  :package-version '(meta-log-peer-sync . "0.1.0"))

(defcustom meta-log-peer-sync-broker-lost-functions nil
  "Functions called when the broker is gone.
Each is called with one argument, a plist: `:event' and `:time', and
`:broker' (URL) and `:reason' (text)."
  :type 'hook
  :group 'meta-log-peer-sync-events
  :package-version '(meta-log-peer-sync . "0.1.0"))

(defcustom meta-log-peer-sync-peer-discovered-functions nil
  "Functions called when a peer announced itself for the first time.
Each is called with one argument, a plist: `:event' and `:time', and
`:peer_id' (its id), `:public_key' (its key), `:address' (text or null) and
`:name' (text or null)."
  :type 'hook
  :group 'meta-log-peer-sync-events
  :package-version '(meta-log-peer-sync . "0.1.0"))

(defcustom meta-log-peer-sync-peer-connected-functions nil
  "Functions called when a peer answers.
Each is called with one argument, a plist: `:event' and `:time', and
`:peer_id' (its id) and `:name' (text or null)."
  :type 'hook
  :group 'meta-log-peer-sync-events
  :package-version '(meta-log-peer-sync . "0.1.0"))

(defcustom meta-log-peer-sync-peer-disconnected-functions nil
  "Functions called when a peer went offline.
Each is called with one argument, a plist: `:event' and `:time', and
`:peer_id' (its id) and `:name' (text or null)."
  :type 'hook
  :group 'meta-log-peer-sync-events
  :package-version '(meta-log-peer-sync . "0.1.0"))

(defcustom meta-log-peer-sync-peer-trusted-functions nil
  "Functions called when a peer was accepted.
Each is called with one argument, a plist: `:event' and `:time', and
`:peer_id' (its id) and `:name' (text or null)."
  :type 'hook
  :group 'meta-log-peer-sync-events
  :package-version '(meta-log-peer-sync . "0.1.0"))

(defcustom meta-log-peer-sync-identity-changed-functions nil
  "Functions called when somebody else uses this identity.
Each is called with one argument, a plist: `:event' and `:time', and
`:peer_id' (own id) and `:reason' (text)."
  :type 'hook
  :group 'meta-log-peer-sync-events
  :package-version '(meta-log-peer-sync . "0.1.0"))

(defcustom meta-log-peer-sync-sync-started-functions nil
  "Functions called when a revision goes out.
Each is called with one argument, a plist: `:event' and `:time', and
`:file' (document) and `:revision' (id)."
  :type 'hook
  :group 'meta-log-peer-sync-events
  :package-version '(meta-log-peer-sync . "0.1.0"))

(defcustom meta-log-peer-sync-sync-completed-functions nil
  "Functions called when every online peer has a revision.
Each is called with one argument, a plist: `:event' and `:time', and
`:file' (document), `:revision' (id) and `:peers' ([peer ids])."
  :type 'hook
  :group 'meta-log-peer-sync-events
  :package-version '(meta-log-peer-sync . "0.1.0"))

(defcustom meta-log-peer-sync-sync-failed-functions nil
  "Functions called when a revision could not be sent, taken or written.
Each is called with one argument, a plist: `:event' and `:time', and
`:file' (document), `:revision' (id or null), `:peer_id' (id or null) and
`:reason' (text)."
  :type 'hook
  :group 'meta-log-peer-sync-events
  :package-version '(meta-log-peer-sync . "0.1.0"))

(defcustom meta-log-peer-sync-document-changed-functions nil
  "Functions called when a peer's revision was saved.
Each is called with one argument, a plist: `:event' and `:time', and
`:file' (document), `:peer_id' (author), `:revision' (id), `:path' (of the
saved copy), `:size' (bytes) and `:deleted' (bool: the document is deleted)."
  :type 'hook
  :group 'meta-log-peer-sync-events
  :package-version '(meta-log-peer-sync . "0.1.0"))

(defcustom meta-log-peer-sync-document-edited-functions nil
  "Functions called when somebody types in a document that is open here.
Each is called with one argument, a plist: `:event' and `:time', and
`:file' (document), `:peer_id' (who types), `:base' (the revision that is
changed), `:start' (changes before these) and `:changes' (a vector of
vectors: characters before it, characters that go, new text; one after
another).  Only documents opened by the request `documents.open' have
such events."
  :type 'hook
  :group 'meta-log-peer-sync-events
  :package-version '(meta-log-peer-sync . "0.1.0"))

(defcustom meta-log-peer-sync-document-held-functions nil
  "Functions called when a document waits until its author is accepted.
Each is called with one argument, a plist: `:event' and `:time', and
`:file' (document), `:peer_id' (author) and `:held' (documents held from
it)."
  :type 'hook
  :group 'meta-log-peer-sync-events
  :package-version '(meta-log-peer-sync . "0.1.0"))

(defcustom meta-log-peer-sync-conflict-detected-functions nil
  "Functions called when two people changed one value at once.
Also for a document that cannot be merged, since it is no text.
Each is called with one argument, a plist: `:event' and `:time', and
`:file' (document), `:peer_id' (author of what met others),
`:revision' (its id), `:path' (of the document, or of a version that
cannot be merged), `:current' (what the document shows) and
`:conflicts' (a vector of numbers; empty where nothing could be merged)."
  :type 'hook
  :group 'meta-log-peer-sync-events
  :package-version '(meta-log-peer-sync . "0.1.0"))

(defcustom meta-log-peer-sync-deletions-held-functions nil
  "Functions called when many files were deleted at once.
That waits for a yes.  They are called again when it waits no more.
Each is called with one argument, a plist: `:event' and `:time', and
`:space' (its name), `:folder' (absolute path), `:count' (files, 0 for no
more) and `:documents' (a vector of the first of them)."
  :type 'hook
  :group 'meta-log-peer-sync-events
  :package-version '(meta-log-peer-sync . "0.1.0"))

(defcustom meta-log-peer-sync-folder-away-functions nil
  "Functions called when a folder of a space is not there, or is again.
Each is called with one argument, a plist: `:event' and `:time', and
`:space' (its name), `:folder' (absolute path) and `:reason' (why; empty:
it is back)."
  :type 'hook
  :group 'meta-log-peer-sync-events
  :package-version '(meta-log-peer-sync . "0.1.0"))

(defcustom meta-log-peer-sync-space-changed-functions nil
  "Functions called when a space was made, left, or set differently.
Each is called with one argument, a plist: `:event' and `:time', and
`:space' (its name)."
  :type 'hook
  :group 'meta-log-peer-sync-events
  :package-version '(meta-log-peer-sync . "0.1.0"))

(defcustom meta-log-peer-sync-message-received-functions nil
  "Functions called when a message was received.
It passed its checks, or came on a subscribed topic.
Each is called with one argument, a plist: `:event' and `:time', and
`:topic' (MQTT topic), `:message' (text; a large content is replaced by
content_file), `:connection' (handle, 0 for the peer's own broker) and
`:verified' (bool: false for a topic that the user subscribed to)."
  :type 'hook
  :group 'meta-log-peer-sync-events
  :package-version '(meta-log-peer-sync . "0.1.0"))

(defcustom meta-log-peer-sync-events-dropped-functions nil
  "Functions called when events were left out, because Emacs was too slow.
Each is called with one argument, a plist: `:event' and `:time', and
`:count' (events)."
  :type 'hook
  :group 'meta-log-peer-sync-events
  :package-version '(meta-log-peer-sync . "0.1.0"))

(defvar meta-log-mqtt-message-received-hook)
(defvar meta-log-mqtt-peer-announced-hook)
(defvar meta-log-mqtt-peer-message-hook)
(defvar meta-log-webrtc-state-synced-hook)

(defvar meta-log-peer-sync-events--reported nil
  "Hook functions whose errors were shown, as (FUNCTION . ERROR-SYMBOL).")

(defun meta-log-peer-sync-events--call (function hook arguments)
  "Call FUNCTION of HOOK with ARGUMENTS; show its first error of each kind.
An error ends neither the other functions nor the connection."
  (condition-case problem
      (apply function arguments)
    ((error quit)
     (let ((key (cons function (car problem))))
       (unless (member key meta-log-peer-sync-events--reported)
         (push key meta-log-peer-sync-events--reported)
         (message "meta-log-peer-sync: %s in `%s': %s"
                  (if (symbolp function) function "a function") hook
                  (error-message-string problem))))))
  nil)

(defun meta-log-peer-sync-events-run (hook &rest arguments)
  "Call every function of HOOK, a symbol, with ARGUMENTS."
  (when (and (boundp hook) (symbol-value hook))
    (run-hook-wrapped hook #'meta-log-peer-sync-events--call hook arguments)))

(defun meta-log-peer-sync-events--message (text)
  "Return the JSON object in TEXT as a plist, or nil."
  (condition-case nil
      (let ((object (json-parse-string text :object-type 'plist :null-object nil
                                       :false-object :json-false)))
        (and (consp object) object))
    (error nil)))

(defun meta-log-peer-sync-events--run-message (event)
  "Run the documented hooks of a message in EVENT."
  (let* ((topic (plist-get event :topic))
         (text (plist-get event :message))
         (verified (eq (plist-get event :verified) t))
         (message (and verified (stringp text)
                       (meta-log-peer-sync-events--message text))))
    (meta-log-peer-sync-events-run 'meta-log-mqtt-message-received-hook topic text)
    (pcase (plist-get message :type)
      ("peer-announce"
       (meta-log-peer-sync-events-run
        'meta-log-mqtt-peer-announced-hook (plist-get message :peer_id)
        (plist-get message :public_key) (plist-get message :address)))
      ("peer-message"
       (meta-log-peer-sync-events-run
        'meta-log-mqtt-peer-message-hook (plist-get message :peer_id)
        (plist-get message :to)
        (or (plist-get message :content) (plist-get message :content_file))
        (plist-get message :signature))))))

(defun meta-log-peer-sync-events-dispatch (event)
  "Run the hooks of EVENT, a plist."
  (let ((name (plist-get event :event)))
    (when (stringp name)
      (let ((hook (intern-soft (format "meta-log-peer-sync-%s-functions" name))))
        (when hook (meta-log-peer-sync-events-run hook event)))
      (pcase name
        ("message-received" (meta-log-peer-sync-events--run-message event))
        ("peer-connected"
         (meta-log-peer-sync-events-run 'meta-log-webrtc-state-synced-hook
                                        (plist-get event :peer_id) nil))
        ("sync-completed"
         (mapc (lambda (peer)
                 (meta-log-peer-sync-events-run 'meta-log-webrtc-state-synced-hook
                                                peer (plist-get event :file)))
               (plist-get event :peers)))))))

(provide 'meta-log-peer-sync-events)
;;; meta-log-peer-sync-events.el ends here
