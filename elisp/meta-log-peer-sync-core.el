;;; meta-log-peer-sync-core.el --- Options and state of the local peer  -*- lexical-binding: t; -*-

;; Copyright (C) 2026 The meta-log-peer-sync authors

;; SPDX-License-Identifier: MIT

;; Author: The meta-log-peer-sync authors
;; Version: 0.1.0
;; URL: https://github.com/bthornemail/meta-log-peer-sync
;; Keywords: comm, hypermedia

;;; Commentary:

;; What every other file of the package stands on: the options, the table
;; of known peers, starting the sidecar with the right arguments, and the
;; text of the mode line.  Commands are in `meta-log-peer-sync'.

;;; Code:

(require 'cl-lib)
(require 'json)
(require 'subr-x)
(require 'meta-log-peer-sync-rpc)
(require 'meta-log-peer-sync-edit)
(require 'meta-log-peer-sync-events)
(require 'meta-log-peer-sync-guard)
(require 'meta-log-peer-sync-progress)
(require 'meta-log-peer-sync-view)

(defgroup meta-log-peer-sync nil
  "Share canvases with other people, signed, without a company in between."
  :group 'comm
  :prefix "meta-log-peer-sync-"
  :link '(emacs-library-link :tag "Source" "meta-log-peer-sync.el")
  :link '(url-link :tag "Home page" "https://github.com/bthornemail/meta-log-peer-sync")
  ;; Found beside this file, also when Info does not know its folder.
  :link '(custom-manual :tag "Manual" :action meta-log-peer-sync--follow-link
                        "(meta-log-peer-sync)"))

(defcustom meta-log-peer-sync-state-directory nil
  "Folder of the identity, the synced files and the history, or nil.
Nil stands for `meta-log/' below `user-emacs-directory'.  Only its owner
can read it.  It takes effect at the next start."
  :type '(choice (const :tag "meta-log/ in the Emacs directory" nil) directory)
  :group 'meta-log-peer-sync
  :package-version '(meta-log-peer-sync . "0.1.0"))

(defcustom meta-log-peer-sync-broker-url nil
  "URL of the MQTT broker, or nil.
Nil stands for what the environment and the configuration file say, and
without them for mqtt://localhost:1883, or a broker that the sidecar
brings along when none answers there.  Never write a password into it:
that comes from the variable MQTT_PASSWORD or from auth-source."
  :type '(choice (const :tag "Default" nil) string)
  :group 'meta-log-peer-sync
  :package-version '(meta-log-peer-sync . "0.1.0"))

(defcustom meta-log-peer-sync-broker-username nil
  "User name at the broker, or nil for what the environment says.
The password is taken from MQTT_PASSWORD in the environment, else from
auth-source: an entry for the broker's host, this user and port mqtt."
  :type '(choice (const :tag "Default" nil) string)
  :group 'meta-log-peer-sync
  :package-version '(meta-log-peer-sync . "0.1.0"))

(defcustom meta-log-peer-sync-trust-policy nil
  "Whose documents are taken.
\"ask\" holds the documents of a new peer back until it is accepted once;
\"announced\" takes what every announced peer syncs; \"paired\" takes nothing
from peers that were not accepted.  Nil is what the configuration file
says, and without it `ask'."
  :type '(choice (const :tag "Configured" nil) (const "ask") (const "announced")
                 (const "paired"))
  :group 'meta-log-peer-sync
  :package-version '(meta-log-peer-sync . "0.1.0"))

(cl-defstruct (meta-log-peer-sync-peer (:constructor meta-log-peer-sync-peer-create)
                                       (:copier nil))
  "A known peer.
ID and PUBLIC-KEY are its identity, NAME its display name or nil, ADDRESS
what it announced or nil.  ONLINE and CONNECTED are t or nil.  TRUST is
accepted, announced, unknown or blocked.  LAST-SEEN is UTC text or nil,
UNACKNOWLEDGED and HELD count documents."
  id public-key name address online connected trust last-seen
  (unacknowledged 0) (held 0))

(defvar meta-log-peer-sync-core-peers (make-hash-table :test #'equal)
  "Known peers: peer id -> `meta-log-peer-sync-peer'.")

(defvar meta-log-peer-sync-core-identity nil
  "The own identity: plist of `:peer_id', `:public_key' and `:name', or nil.")

(defvar meta-log-peer-sync-core-changed-functions nil
  "Functions called with EVENT after the state has followed it.
EVENT is the plist of an event, or nil when everything may have changed.
Lists that are shown use it; for programs there are the documented hooks.")

(defvar meta-log-peer-sync-core-ready-functions nil
  "Functions called with the status each time that the sidecar is ready.")

(defvar meta-log-peer-sync-core--folders nil
  "Folders that show documents, as (FOLDER . PREFIX of their names).")
(defvar meta-log-peer-sync-core--refresh-timer nil "Timer of the next peers.list.")
(defvar meta-log-peer-sync-core--held-timer nil "Timer of the message about held documents.")
(defvar meta-log-peer-sync-core--held-told nil "Non-nil once that message was shown.")
(defvar meta-log-peer-sync-core--broker nil "`connected', `connecting' or `offline', or nil.")
(defvar meta-log-peer-sync-core--broker-error nil "Why there is no broker, or nil.")
(defvar meta-log-peer-sync-core--broker-timer nil "Timer of the next look at the broker.")
(defvar meta-log-peer-sync-core--broker-told nil "Non-nil once that error was shown.")
(defvar meta-log-peer-sync-core--stopped nil "Non-nil after the user has stopped the peer.")
(defvar meta-log-peer-sync-core--idle-told nil
  "Non-nil once it was said that what is saved waits for a peer.")
(defvar meta-log-peer-sync-core--saved nil
  "What was saved while no peer was running, as (FILE . BASE), newest first.")

(defvar meta-log-peer-sync-core--saving nil
  "Files of which a save is under way, as (FILE . NEXT).
NEXT is what was saved meanwhile, as (BASE . FAILED), the first one first.")

(defconst meta-log-peer-sync-core--endings
  '(".canvasl" ".canvas" ".jsonl" ".json" ".org" ".md" ".txt")
  "Endings of the names of files that are synced without any configuration.")
(defvar meta-log-peer-sync-core--more-endings nil
  "Further endings, as the running sidecar is configured.")

(defvar meta-log-peer-sync-modeline " Sync:-"
  "State of the peer for the mode line: a space, a word, one sign.
`-' stopped, `~' starting, `!' failed or without a broker, else how many
peers are online; `?N' when N documents are held back.  The help text
says more.")
;; Without this, Emacs would drop the help text.
(put 'meta-log-peer-sync-modeline 'risky-local-variable t)

;;;; Text of other people

(defconst meta-log-peer-sync-core--hidden
  (concat "[\u0000-\u001f\u007f-\u009f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f"
          "\u200b-\u200f\u2028-\u202e\u2060-\u206f\u2800\u3164\ufe00-\ufe0d\ufeff\uffa0\ufff0-\ufffc"
          "\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff]")
  "Matches a character that shows nothing, or moves what is around it.
Without the two selectors of `meta-log-peer-sync-core--selectors'.")

(defun meta-log-peer-sync-core--selectors (match)
  "Return MATCH, a character or none and then U+FE0E or U+FE0F, made harmless.
These choose how a symbol in front of them looks; elsewhere they hide."
  (if (and (= (length match) 2)
           (eq (get-char-code-property (aref match 0) 'general-category) 'So))
      match
    (replace-regexp-in-string "[\ufe0e\ufe0f]" "?" match t t)))

(defun meta-log-peer-sync-core-plain (text &optional width)
  "Return TEXT, which may be anybody's, as one harmless line.
Control, invisible and direction-changing characters show as `?'; it is
cut to WIDTH columns, default 80."
  (let ((text (if (stringp text) (substring-no-properties text) "")))
    ;; Most text is short and ASCII; lists show thousands of such words.
    (if (and (<= (length text) (or width 80)) (string-match-p "\\`[ -~]*\\'" text))
        text
      (truncate-string-to-width
       (replace-regexp-in-string
        ".?[\ufe0e\ufe0f]" #'meta-log-peer-sync-core--selectors
        (replace-regexp-in-string meta-log-peer-sync-core--hidden "?" text t t)
        t t)
       (or width 80) nil nil t))))

(defun meta-log-peer-sync-core-time (time)
  "Return TIME, of an event or a record, as one harmless line, to the second."
  (replace-regexp-in-string "\\.[0-9]+Z\\'" "Z" (meta-log-peer-sync-core-plain time)))

(defun meta-log-peer-sync-core-name (peer-id)
  "Return how to call the peer PEER-ID in a message to people."
  (let* ((peer (gethash peer-id meta-log-peer-sync-core-peers))
         (name (and peer (meta-log-peer-sync-peer-name peer))))
    (if (and (stringp name) (not (string-empty-p name)))
        (meta-log-peer-sync-core-plain name 40)
      (meta-log-peer-sync-core-plain
       (if (stringp peer-id) (substring peer-id 0 (min 13 (length peer-id))) "nobody")))))

(defun meta-log-peer-sync-core-count (number noun)
  "Return NUMBER and NOUN, in the plural unless it is one; nil counts as 0."
  (format "%d %s%s" (or number 0) noun (if (eql number 1) "" "s")))

;;;; The broker

(defun meta-log-peer-sync-core-broker-problem ()
  "Return why there is no broker, as one harmless line, or nil."
  (and (eq (meta-log-peer-sync-rpc-state) 'ready)
       (not (eq meta-log-peer-sync-core--broker 'connected))
       meta-log-peer-sync-core--broker-error
       (meta-log-peer-sync-core-plain meta-log-peer-sync-core--broker-error 200)))

(defun meta-log-peer-sync-core--take-broker (status)
  "Learn from STATUS how the broker is."
  (let* ((broker (plist-get status :broker))
         (state (plist-get broker :state)) (problem (plist-get broker :error)))
    (setq meta-log-peer-sync-core--broker (and (stringp state) (intern state))
          meta-log-peer-sync-core--broker-error (and (stringp problem) problem))
    (when (eq meta-log-peer-sync-core--broker 'connected)
      (setq meta-log-peer-sync-core--broker-told nil))))

(defun meta-log-peer-sync-core--tell-broker (seconds)
  "Say once why there is no broker, SECONDS after the last look at it.
A broker that refuses will do so again; one that does not answer may be
about to be started, by this sidecar, too."
  (let ((problem (meta-log-peer-sync-core-broker-problem)))
    (when (and problem (not meta-log-peer-sync-core--broker-told)
               (or (>= seconds 4) (string-prefix-p "refused" problem)))
      (setq meta-log-peer-sync-core--broker-told t)
      (message "meta-log-peer-sync: no broker at %s: %s; what you sync is kept until there is one"
               (meta-log-peer-sync-core-plain (meta-log-peer-sync-core-broker-url))
               problem))))

(defun meta-log-peer-sync-core--watch-broker (seconds)
  "Look in SECONDS, and again later, whether there is a broker by now.
The sidecar has no event for a broker that was never there."
  (unless (or meta-log-peer-sync-core--broker-timer
              (eq meta-log-peer-sync-core--broker 'connected))
    (setq meta-log-peer-sync-core--broker-timer
          (run-at-time
           seconds nil
           (lambda ()
             (setq meta-log-peer-sync-core--broker-timer nil)
             (when (eq (meta-log-peer-sync-rpc-state) 'ready)
               (meta-log-peer-sync-rpc-refresh-status
                (lambda (_status)
                  (meta-log-peer-sync-core--tell-broker seconds)
                  (meta-log-peer-sync-core--watch-broker (min 15 (* 2 seconds)))))))))))

;;;; The mode line

(defun meta-log-peer-sync-core--explain (online held)
  "Return the help text of the mode line, with ONLINE peers and HELD documents."
  (pcase (meta-log-peer-sync-rpc-state)
    ('stopped "The peer is not running; M-x meta-log-peer-sync-start")
    ('failed (meta-log-peer-sync-core-plain
              (concat "The peer is not running: " (meta-log-peer-sync-rpc-failure)
                      "; M-x meta-log-peer-sync-doctor")
              400))
    ((or 'starting 'waiting) "The peer is starting")
    (_ (let ((problem (meta-log-peer-sync-core-broker-problem))
             (url (meta-log-peer-sync-core-plain (meta-log-peer-sync-core-broker-url))))
         (concat (cond (problem (format "No broker at %s: %s; M-x meta-log-peer-sync-doctor"
                                        url problem))
                       ((memq meta-log-peer-sync-core--broker '(connecting offline))
                        (concat "Connecting to " url))
                       (t (concat (meta-log-peer-sync-core-count online "peer")
                                  " online, by " url)))
                 (if (> held 0)
                     (concat "; " (meta-log-peer-sync-core-count held "document")
                             " held back, M-x meta-log-peer-sync-accept-peer")
                   ""))))))

(defun meta-log-peer-sync-core--sign (online)
  "Return the sign of a running peer with ONLINE others."
  (cond ((or (meta-log-peer-sync-core-broker-problem)
             (eq meta-log-peer-sync-core--broker 'offline))
         "!")
        ((eq meta-log-peer-sync-core--broker 'connecting) "~")
        (t (number-to-string online))))

(defun meta-log-peer-sync-core--update-modeline ()
  "Bring `meta-log-peer-sync-modeline' up to date."
  (let ((online 0) (held 0))
    (maphash (lambda (_id peer)
               (when (meta-log-peer-sync-peer-online peer) (cl-incf online))
               (cl-incf held (or (meta-log-peer-sync-peer-held peer) 0)))
             meta-log-peer-sync-core-peers)
    (let ((text (pcase (meta-log-peer-sync-rpc-state)
                  ('stopped " Sync:-")
                  ('failed " Sync:!")
                  ((or 'starting 'waiting) " Sync:~")
                  (_ (concat " Sync:" (meta-log-peer-sync-core--sign online)
                             (if (> held 0) (format "?%d" held) ""))))))
      (setq text (propertize text 'help-echo
                             (meta-log-peer-sync-core--explain online held)))
      (unless (equal-including-properties text meta-log-peer-sync-modeline)
        (setq meta-log-peer-sync-modeline text)
        (force-mode-line-update t)))))

;;;; Peers

(defun meta-log-peer-sync-core--true (value)
  "Return t when VALUE is JSON's true, else nil."
  (eq value t))

(defun meta-log-peer-sync-core--store-peer (fields)
  "Put a peer with FIELDS, in the form of `peers.list', into the table."
  (let ((id (plist-get fields :peer_id)))
    (puthash id
             (meta-log-peer-sync-peer-create
              :id id
              :public-key (plist-get fields :public_key)
              :name (plist-get fields :name)
              :address (plist-get fields :address)
              :online (meta-log-peer-sync-core--true (plist-get fields :online))
              :connected (meta-log-peer-sync-core--true (plist-get fields :connected))
              :trust (plist-get fields :trust)
              :last-seen (plist-get fields :last_seen)
              :unacknowledged (or (plist-get fields :unacknowledged) 0)
              :held (or (plist-get fields :held) 0))
             meta-log-peer-sync-core-peers)))

(defun meta-log-peer-sync-core--store-peers (answer)
  "Replace the table by ANSWER, the result of `peers.list'."
  (let ((seen (make-hash-table :test #'equal)))
    (mapc (lambda (fields)
            (puthash (plist-get fields :peer_id) t seen)
            (meta-log-peer-sync-core--store-peer fields))
          (plist-get answer :peers))
    (maphash (lambda (id _peer)
               (unless (gethash id seen) (remhash id meta-log-peer-sync-core-peers)))
             (copy-hash-table meta-log-peer-sync-core-peers)))
  (meta-log-peer-sync-core--changed nil))

(defun meta-log-peer-sync-core-refresh-peers (&optional function failed)
  "Ask for all peers; then call FUNCTION, if any.
FAILED, if any, is called with the problem when there is no answer."
  (meta-log-peer-sync-rpc-request
   "peers.list" nil
   (lambda (answer)
     (meta-log-peer-sync-core--store-peers answer)
     (when function (funcall function)))
   (or failed #'ignore)))

(defun meta-log-peer-sync-core--refresh-later ()
  "Ask for the status and all peers soon, once for many events."
  (unless meta-log-peer-sync-core--refresh-timer
    (setq meta-log-peer-sync-core--refresh-timer
          (run-at-time 0.5 nil
                       (lambda ()
                         (setq meta-log-peer-sync-core--refresh-timer nil)
                         (when (eq (meta-log-peer-sync-rpc-state) 'ready)
                           (meta-log-peer-sync-rpc-refresh-status)
                           (meta-log-peer-sync-core-refresh-peers)))))))

(defun meta-log-peer-sync-core--follow-peer (event)
  "Let the table follow EVENT, which is about a peer."
  (let* ((id (plist-get event :peer_id))
         (peer (or (gethash id meta-log-peer-sync-core-peers)
                   (puthash id (meta-log-peer-sync-peer-create :id id :trust "unknown")
                            meta-log-peer-sync-core-peers))))
    (when (plist-get event :name)
      (setf (meta-log-peer-sync-peer-name peer) (plist-get event :name)))
    (pcase (plist-get event :event)
      ("peer-discovered"
       (setf (meta-log-peer-sync-peer-public-key peer) (plist-get event :public_key)
             (meta-log-peer-sync-peer-address peer) (plist-get event :address)
             (meta-log-peer-sync-peer-online peer) t
             (meta-log-peer-sync-peer-last-seen peer) (plist-get event :time)))
      ("peer-connected"
       (setf (meta-log-peer-sync-peer-online peer) t
             (meta-log-peer-sync-peer-connected peer) t
             (meta-log-peer-sync-peer-last-seen peer) (plist-get event :time)))
      ("peer-disconnected"
       (setf (meta-log-peer-sync-peer-online peer) nil
             (meta-log-peer-sync-peer-connected peer) nil))
      ("peer-trusted"
       (setf (meta-log-peer-sync-peer-trust peer) "accepted"
             (meta-log-peer-sync-peer-held peer) 0))
      ("document-held"
       (setf (meta-log-peer-sync-peer-held peer) (or (plist-get event :held) 1))))))

(defun meta-log-peer-sync-core--take-folders (status)
  "Learn from STATUS which folders show documents, and guard those of others."
  (setq meta-log-peer-sync-core--folders nil
        meta-log-peer-sync-edit-shared nil)
  (mapc (lambda (entry)
          (let* ((folder (file-name-as-directory (plist-get entry :path)))
                 (prefix (or (plist-get entry :prefix) ""))
                 (known (cons folder prefix)))
            (push known meta-log-peer-sync-core--folders)
            (when (and (equal prefix "") meta-log-peer-sync-guard-shared-folders)
              (meta-log-peer-sync-guard-protect folder)
              (push known meta-log-peer-sync-edit-shared))))
        (plist-get status :folders)))

(defun meta-log-peer-sync-core-refresh-folders ()
  "Ask for the folders that show documents."
  (meta-log-peer-sync-rpc-request "status" nil #'meta-log-peer-sync-core--take-folders
                                  #'ignore))

(defun meta-log-peer-sync-core-folder-name (file)
  "Return the name of the document that FILE is in a folder of ours, or nil."
  (let ((meta-log-peer-sync-edit-shared meta-log-peer-sync-core--folders))
    (meta-log-peer-sync-edit-name file)))

(defun meta-log-peer-sync-core--changed (event)
  "Tell those who show the state that EVENT happened; nil: everything."
  (meta-log-peer-sync-core--update-modeline)
  (meta-log-peer-sync-events-run 'meta-log-peer-sync-core-changed-functions event))

(defun meta-log-peer-sync-core--tell-held ()
  "Say once, without a prompt, that documents wait for a decision."
  (setq meta-log-peer-sync-core--held-timer nil)
  (let ((held 0))
    (maphash (lambda (_id peer) (cl-incf held (or (meta-log-peer-sync-peer-held peer) 0)))
             meta-log-peer-sync-core-peers)
    (when (and (> held 0) (not meta-log-peer-sync-core--held-told))
      (setq meta-log-peer-sync-core--held-told t)
      (message "%s of new peers %s held back; M-x meta-log-peer-sync-accept-peer"
               (meta-log-peer-sync-core-count held "document")
               (if (= held 1) "is" "are")))))

(defun meta-log-peer-sync-core--conflict-text (event)
  "Return how to tell people about EVENT, a conflict."
  (let ((file (meta-log-peer-sync-core-plain (plist-get event :file)))
        (places (length (plist-get event :conflicts))))
    (if (> places 0)
        (format "%s was merged; %s of it %s changed twice at once, \
M-x meta-log-peer-sync-conflicts"
                file (meta-log-peer-sync-core-count places "value")
                (if (= places 1) "was" "were"))
      (format "%s was changed by %s at the same time; both versions are kept, \
M-x meta-log-peer-sync-conflicts"
              file (meta-log-peer-sync-core-name (plist-get event :peer_id))))))

(defun meta-log-peer-sync-core--on-event (event)
  "Follow EVENT, then run its hooks."
  (meta-log-peer-sync-progress-follow event)
  (pcase (plist-get event :event)
    ((or "peer-discovered" "peer-connected" "peer-disconnected" "peer-trusted"
         "document-held")
     (meta-log-peer-sync-core--follow-peer event)
     (meta-log-peer-sync-core--refresh-later))
    ("broker-connected"
     (setq meta-log-peer-sync-core--broker 'connected
           meta-log-peer-sync-core--broker-told nil)
     (meta-log-peer-sync-core--refresh-later))
    ("broker-lost"
     (setq meta-log-peer-sync-core--broker 'offline
           meta-log-peer-sync-core--broker-error (plist-get event :reason))
     (meta-log-peer-sync-core--watch-broker 2)
     (meta-log-peer-sync-core--refresh-later))
    ("sync-started" (meta-log-peer-sync-core--refresh-later))
    ("document-changed"
     (meta-log-peer-sync-core--refresh-later)
     (let ((who (meta-log-peer-sync-core-name (plist-get event :peer_id))))
       (if (eq t (plist-get event :deleted))
           (meta-log-peer-sync-progress-gather
            'deleted
            (format "%s was deleted by %s; M-x meta-log-peer-sync-history brings it back"
                    (meta-log-peer-sync-core-plain (plist-get event :file)) who)
            (lambda (count)
              (format "%d documents were deleted; D in M-x meta-log-peer-sync-documents \
shows them" count)))
         (meta-log-peer-sync-view-follow event who)
         (meta-log-peer-sync-view-follow-shared event who))))
    ("conflict-detected"
     (meta-log-peer-sync-progress-gather
      'conflict (meta-log-peer-sync-core--conflict-text event)
      (lambda (count)
        (format "%d documents have values that two changed at once, \
M-x meta-log-peer-sync-conflicts" count))))
    ("identity-changed"
     (message "meta-log-peer-sync: somebody else uses this identity: %s"
              (meta-log-peer-sync-core-plain (plist-get event :reason))))
    ("space-changed" (meta-log-peer-sync-core-refresh-folders))
    ("deletions-held"
     (meta-log-peer-sync-core--refresh-later)
     (when (> (or (plist-get event :count) 0) 0)
       (message "meta-log-peer-sync: %s of %s held, until M-x meta-log-peer-sync-confirm-deletions; C-u brings the files back"
                (meta-log-peer-sync-core-count (plist-get event :count) "deletion")
                (meta-log-peer-sync-core-plain (plist-get event :space)))))
    ("folder-away"
     (unless (member (plist-get event :reason) '(nil ""))
       (message "meta-log-peer-sync: the folder %s is not there; nothing is taken from that"
                (meta-log-peer-sync-core-plain (plist-get event :folder) 200))))
    ("events-dropped"
     (meta-log-peer-sync-core--refresh-later)))
  (when (equal (plist-get event :event) "document-held")
    (unless (or meta-log-peer-sync-core--held-told meta-log-peer-sync-core--held-timer)
      (setq meta-log-peer-sync-core--held-timer
            (run-at-time 1 nil #'meta-log-peer-sync-core--tell-held))))
  (when (equal (plist-get event :event) "peer-trusted")
    (setq meta-log-peer-sync-core--held-told nil))
  (meta-log-peer-sync-core--changed event)
  (meta-log-peer-sync-events-dispatch event))

;;;; Starting

(defun meta-log-peer-sync-core-state-directory ()
  "Return the state directory, absolute, with a slash at its end."
  (file-name-as-directory
   (expand-file-name (or meta-log-peer-sync-state-directory
                         (locate-user-emacs-file "meta-log/")))))

(defun meta-log-peer-sync-core--prepare-directory ()
  "Make the state directory, readable by its owner only; return its name."
  (let ((directory (meta-log-peer-sync-core-state-directory)))
    (when (file-remote-p directory)
      (user-error "The state directory has to be on this machine; correct \
`meta-log-peer-sync-state-directory'"))
    (with-file-modes #o700
      (make-directory directory t))
    (unless (= (logand (file-modes directory) #o777) #o700)
      (set-file-modes directory #o700))
    (directory-file-name directory)))

(defun meta-log-peer-sync-core-default-broker-url ()
  "Return the URL of the broker that a start would use, as far as Emacs knows."
  (or meta-log-peer-sync-broker-url
      (getenv "META_LOG_PEER_SYNC_BROKER_URL")
      (getenv "META_LOG_MQTT_BROKER")
      (and (getenv "MQTT_BROKER_HOST")
           (format "mqtt://%s:%s" (getenv "MQTT_BROKER_HOST")
                   (or (getenv "MQTT_BROKER_PORT") "1883")))
      "mqtt://localhost:1883"))

(defun meta-log-peer-sync-core-same-url-p (one other)
  "Return non-nil when the broker URLs ONE and OTHER are the same."
  (and (stringp one) (stringp other)
       (equal (string-remove-suffix "/" one) (string-remove-suffix "/" other))))

(defun meta-log-peer-sync-core-broker-url ()
  "Return the URL of the broker of the sidecar, running or not."
  (or (and (eq (meta-log-peer-sync-rpc-state) 'ready)
           (plist-get (plist-get (meta-log-peer-sync-rpc-status) :broker) :url))
      (plist-get (meta-log-peer-sync-rpc-arguments) :broker-url)
      (meta-log-peer-sync-core-default-broker-url)))

(declare-function auth-source-search "auth-source")

(defun meta-log-peer-sync-core--password (user)
  "Return the password of USER at the broker from auth-source, or nil."
  (when (and user (not (getenv "MQTT_PASSWORD")))
    (require 'auth-source)
    (require 'url-parse)
    (let* ((url (url-generic-parse-url (meta-log-peer-sync-core-default-broker-url)))
           (found (ignore-errors
                    (car (auth-source-search :host (url-host url) :user user
                                             :port '("mqtt" "mqtts")
                                             :max 1 :require '(:secret)))))
           (secret (plist-get found :secret)))
      (if (functionp secret) (funcall secret) secret))))

(declare-function url-host "url-parse" t t)

(defun meta-log-peer-sync-core--on-ready (status)
  "The sidecar is ready, with STATUS: learn who is there."
  (setq meta-log-peer-sync-core-identity
        (list :peer_id (plist-get status :peer_id)
              :public_key (plist-get status :public_key)
              :name (plist-get status :name))
        meta-log-peer-sync-core--broker-told nil)
  (meta-log-peer-sync-core--take-broker status)
  (meta-log-peer-sync-core--watch-broker 1)
  (when (stringp (plist-get status :synced_dir))
    (setq meta-log-peer-sync-edit-folder
          (file-name-as-directory (plist-get status :synced_dir)))
    (meta-log-peer-sync-guard-protect (plist-get status :synced_dir)))
  (meta-log-peer-sync-core--take-folders status)
  (when (stringp (plist-get status :mirror))
    (meta-log-peer-sync-guard-protect (plist-get status :mirror)))
  (meta-log-peer-sync-rpc-request
   "config.show" nil
   (lambda (answer)
     (setq meta-log-peer-sync-core--more-endings
           (append (plist-get (plist-get (plist-get answer :config) :files.extensions) :value)
                   nil)))
   #'ignore)
  (meta-log-peer-sync-core-refresh-peers #'meta-log-peer-sync-core--tell-held)
  (meta-log-peer-sync-core--sync-waiting)
  (meta-log-peer-sync-events-run 'meta-log-peer-sync-core-ready-functions status)
  (meta-log-peer-sync-core--changed nil))

(defun meta-log-peer-sync-core--on-state ()
  "The state of the sidecar has changed: show it."
  (when (eq (meta-log-peer-sync-rpc-state) 'ready)
    (meta-log-peer-sync-core--take-broker (meta-log-peer-sync-rpc-status)))
  (unless (meta-log-peer-sync-rpc-running-p)
    (setq meta-log-peer-sync-core--broker nil
          meta-log-peer-sync-core--broker-error nil)
    (maphash (lambda (_id peer)
               (setf (meta-log-peer-sync-peer-online peer) nil
                     (meta-log-peer-sync-peer-connected peer) nil))
             meta-log-peer-sync-core-peers))
  (meta-log-peer-sync-core--changed nil))

(defun meta-log-peer-sync-core-arguments
    (directory &optional policy broker-url username password)
  "Return the plist to start the sidecar with, on the state DIRECTORY.
POLICY, BROKER-URL, USERNAME and PASSWORD are strings, or nil for what the
options say."
  (let ((user (or username meta-log-peer-sync-broker-username)))
    (list :state-dir directory
          :policy (or meta-log-peer-sync-trust-policy policy)
          :broker-url (or broker-url meta-log-peer-sync-broker-url)
          :username user
          :password (or password (meta-log-peer-sync-core--password user)))))

(cl-defun meta-log-peer-sync-core-start (&key policy broker-url username password)
  "Start the sidecar unless it is running; return at once.
POLICY, BROKER-URL, USERNAME and PASSWORD are strings, or nil for what
the options say.  A BROKER-URL other than that of a running sidecar
restarts it."
  (when broker-url (meta-log-peer-sync-core-check-url broker-url))
  (let ((arguments
         (meta-log-peer-sync-core-arguments (meta-log-peer-sync-core--prepare-directory)
                                            policy broker-url username password)))
    (setq meta-log-peer-sync-rpc-event-function #'meta-log-peer-sync-core--on-event
          meta-log-peer-sync-rpc-ready-function #'meta-log-peer-sync-core--on-ready
          meta-log-peer-sync-rpc-state-function #'meta-log-peer-sync-core--on-state
          meta-log-peer-sync-core--stopped nil
          meta-log-peer-sync-core--idle-told nil)
    (meta-log-peer-sync-guard-protect (plist-get arguments :state-dir))
    (meta-log-peer-sync-guard-mode 1)
    (cond
     ((not (meta-log-peer-sync-rpc-running-p))
      (setq meta-log-peer-sync-core--held-told nil)
      (meta-log-peer-sync-rpc-start arguments))
     ((and broker-url
           (not (meta-log-peer-sync-core-same-url-p
                 broker-url (meta-log-peer-sync-core-broker-url))))
      (meta-log-peer-sync-rpc-restart
       (plist-put (copy-sequence (meta-log-peer-sync-rpc-arguments))
                  :broker-url broker-url))))
    t))

(defun meta-log-peer-sync-core-stop ()
  "Stop the sidecar; saving a file does not start it again."
  (setq meta-log-peer-sync-core--stopped t
        meta-log-peer-sync-core--idle-told nil)
  (meta-log-peer-sync-rpc-stop))

(defun meta-log-peer-sync-core-request (method params &optional success error)
  "Ask the sidecar METHOD with PARAMS; start it if it is not running.
SUCCESS and ERROR as for `meta-log-peer-sync-rpc-request'."
  (unless (meta-log-peer-sync-rpc-running-p)
    (meta-log-peer-sync-core-start))
  (meta-log-peer-sync-rpc-request method params success error))

(defun meta-log-peer-sync-core-file-name (file)
  "Return the absolute name of FILE; a `user-error' when it is no name of one."
  (if (and (stringp file) (not (string-match-p "\0" file)))
      (expand-file-name file)
    (user-error "%S is not the name of a file" file)))

(defun meta-log-peer-sync-core-text (object)
  "Return OBJECT as text: a string as it is, anything else as JSON."
  (if (stringp object)
      object
    (condition-case nil
        (json-encode object)
      (error (user-error "%S cannot be written as JSON; give a string, a number, \
a list, a vector or a hash table" object)))))

(defun meta-log-peer-sync-core-check-url (url)
  "Return URL, or signal a `user-error' when it is not that of a broker."
  (if (and (stringp url) (string-match-p "\\`\\(?:mqtt\\|ws\\)s?://." url))
      url
    (user-error "%S is not the URL of a broker; write mqtt://HOST:PORT" url)))

(defun meta-log-peer-sync-core-local-file (file)
  "Return the absolute name of FILE; a `user-error' when it cannot be synced."
  (let ((file (meta-log-peer-sync-core-file-name file)))
    (cond ((file-remote-p file)
           (user-error "%s is on another machine; copy it here first" file))
          ((file-directory-p file)
           (user-error "%s is a folder; name a file in it" file))
          ((not (file-exists-p file))
           (user-error "There is no file %s; save it first" file))
          ((not (file-readable-p file))
           (user-error "%s cannot be read; check its mode" file)))
    file))

(defvar meta-log-peer-sync-core--warned (make-hash-table :test #'equal)
  "Document -> the warnings about it that were shown last.")

(defun meta-log-peer-sync-core--warnings (answer quiet)
  "Return what is wrong with the canvas that ANSWER, of `sync.file', is about.
It is one line, and empty when there is nothing.  QUIET: also when the same
was shown before."
  (let* ((file (plist-get answer :file))
         (warnings (append (plist-get answer :warnings) nil))
         ;; What stands above may move the place without changing what is wrong.
         (same (mapcar (lambda (one) (list (plist-get one :text) (plist-get one :more)))
                       warnings))
         (known (equal same (gethash file meta-log-peer-sync-core--warned))))
    (if same
        (puthash file same meta-log-peer-sync-core--warned)
      (remhash file meta-log-peer-sync-core--warned))
    (if (and quiet known)
        ""
      (mapconcat (lambda (one)
                   (format "; line %s: %s%s" (plist-get one :line)
                           (meta-log-peer-sync-core-plain (plist-get one :text) 200)
                           (if (member (plist-get one :more) '(nil 0)) ""
                             (format " (and %s)" (meta-log-peer-sync-core-count
                                                  (plist-get one :more) "more place")))))
                 warnings ""))))

(defun meta-log-peer-sync-core--tell-synced (answer quiet)
  "Say what ANSWER, of `sync.file', means; QUIET: only if that is a surprise."
  (let ((file (meta-log-peer-sync-core-plain (plist-get answer :file)))
        (other (plist-get answer :replaces))
        (wrong (meta-log-peer-sync-core--warnings answer quiet)))
    (cond
     (other
      (message "meta-log-peer-sync: %s is shared already; your file follows the version of %s, \
which M-x meta-log-peer-sync-history can bring back%s"
               file (meta-log-peer-sync-core-name other) wrong))
     ((not quiet)
      (message "meta-log-peer-sync: %s is %s%s%s" file
               (if (equal (plist-get answer :state) "unchanged")
                   "up to date" "recorded and goes out")
               (if (eq (plist-get answer :conflict) t)
                   ", with conflicts: M-x meta-log-peer-sync-conflicts" "")
               wrong))
     ((not (string-empty-p wrong))
      (message "meta-log-peer-sync: %s is synced as it is%s" file wrong)))))

(defun meta-log-peer-sync-core-sync-file (file &optional function base failed)
  "Sync FILE; return its absolute name at once.
FUNCTION is called with the answer when it is recorded; without it, a
message tells.  BASE is the SHA-256 of the text that it was made from, if
known, or a vector of several, oldest first.  FAILED is called with the
problem after it was shown."
  (let ((file (meta-log-peer-sync-core-local-file file)))
    (meta-log-peer-sync-core-request
     "sync.file" (list :path file :base base)
     (lambda (answer)
       (meta-log-peer-sync-core--tell-synced answer function)
       (when function (funcall function answer)))
     (lambda (problem)
       (message "meta-log-peer-sync: %s was not synced: %s" file
                (meta-log-peer-sync-rpc-error-text problem))
       (when failed (funcall failed problem))))
    file))

(defun meta-log-peer-sync-core-sync-saved (file &optional base failed)
  "Sync FILE, which was saved just now, or note it for the next start.
BASE and FAILED as for `meta-log-peer-sync-core-sync-file'."
  (let ((under-way (assoc file meta-log-peer-sync-core--saving)))
    (cond
     ((not (meta-log-peer-sync-rpc-running-p))
      (meta-log-peer-sync-core--note-saved file base)
      (meta-log-peer-sync-edit-release file))
     ;; One after the other: what the sidecar reads now may be this text already,
     ;; and a second one from BASE would stand beside it.
     (under-way (setcdr under-way (append (cdr under-way) (list (cons base failed)))))
     (t (push (list file) meta-log-peer-sync-core--saving)
        (condition-case problem
            (meta-log-peer-sync-core-sync-file
             file (lambda (answer) (meta-log-peer-sync-core--saved-done file answer))
             base (lambda (problem)
                    (meta-log-peer-sync-core--saved-failed file base failed)
                    (when failed (funcall failed problem))))
          (error (meta-log-peer-sync-core--saved-forget file)
                 (message "meta-log-peer-sync: %s" (error-message-string problem))))))))

(defun meta-log-peer-sync-core-saving-p (file)
  "Return non-nil while a save of FILE, a true name, is not recorded yet."
  (and (assoc file meta-log-peer-sync-core--saving) t))

(defun meta-log-peer-sync-core--note-saved (file base)
  "Note FILE, edited from BASE, which was saved while no peer was running."
  ;; What the first save began with counts for all of them.
  (unless (assoc file meta-log-peer-sync-core--saved)
    (push (cons file base) meta-log-peer-sync-core--saved))
  (unless meta-log-peer-sync-core--idle-told
    (setq meta-log-peer-sync-core--idle-told t)
    (message "meta-log-peer-sync: the peer is not running%s; what you save goes out \
after M-x meta-log-peer-sync-start"
             (let ((why (meta-log-peer-sync-rpc-failure)))
               (if why (concat " (" why ")") "")))))

(defun meta-log-peer-sync-core--saved-forget (file)
  "Return what was saved of FILE while a save was under way, and forget both."
  (let ((entry (assoc file meta-log-peer-sync-core--saving)))
    (setq meta-log-peer-sync-core--saving (delq entry meta-log-peer-sync-core--saving))
    (cdr entry)))

(defun meta-log-peer-sync-core--bases (next &optional base)
  "Return the texts that NEXT was edited from, after BASE, for `sync.file'.
The sidecar may have seen any of these texts, or none."
  (let ((bases (apply #'append (mapcar (lambda (one) (if (stringp one) (list one)
                                                       (append one nil)))
                                       (cons base (mapcar #'car next))))))
    (and bases (vconcat (last bases 64)))))

(defun meta-log-peer-sync-core--saved-done (file answer)
  "The save of FILE is recorded, with ANSWER; sync what was saved meanwhile.
What the sidecar has written back may be merged with what others wrote."
  (let ((next (meta-log-peer-sync-core--saved-forget file)))
    (if next
        (meta-log-peer-sync-core-sync-saved
         file (meta-log-peer-sync-core--bases next) (cdar next))
      ;; What could not be written because of the lock comes a little later.
      (let ((buffer (and (meta-log-peer-sync-edit-release file)
                         (find-buffer-visiting file))))
        (when buffer
          (with-current-buffer buffer
            (meta-log-peer-sync-view-follow-soon file))))))
  (meta-log-peer-sync-view-follow answer)
  (meta-log-peer-sync-view-follow-shared answer))

(defun meta-log-peer-sync-core--saved-failed (file base failed)
  "FILE, edited from BASE, was saved and is not recorded.
That goes for all that was saved meanwhile.  FAILED is called when that is
refused as well."
  (let ((next (meta-log-peer-sync-core--saved-forget file)))
    (when (or next (not (meta-log-peer-sync-rpc-running-p)))
      (meta-log-peer-sync-core-sync-saved
       file (meta-log-peer-sync-core--bases next base) failed))
    (unless (assoc file meta-log-peer-sync-core--saving)
      (meta-log-peer-sync-edit-release file))))

(defun meta-log-peer-sync-core--sync-waiting ()
  "Sync what was saved while no peer was running."
  (let ((waiting (reverse meta-log-peer-sync-core--saved)))
    (setq meta-log-peer-sync-core--saved nil)
    (pcase-dolist (`(,file . ,base) waiting)
      (when (file-exists-p file)
        (meta-log-peer-sync-core-sync-saved file base)))))

(defun meta-log-peer-sync-core-stopped-p ()
  "Return non-nil when the user has stopped the peer, and not started it since."
  (and meta-log-peer-sync-core--stopped (not (meta-log-peer-sync-rpc-running-p))))

(defun meta-log-peer-sync-core-unsyncable (file)
  "Return why FILE can never be synced, a string, or nil."
  (let* ((extension (downcase (or (file-name-extension file t) "")))
         (endings (append meta-log-peer-sync-core--endings
                          meta-log-peer-sync-core--more-endings)))
    (cond
     ((file-remote-p file)
      "This file is on another machine; only local files can be shared")
     ((not (member extension endings))
      (format "Only files ending in %s can be shared%s"
              (string-join endings " ")
              (if (eq (meta-log-peer-sync-rpc-state) 'ready)
                  "; files.extensions in the configuration may name more"
                ", and what the configuration names once the peer is started"))))))

(defun meta-log-peer-sync-core-read-peer (prompt)
  "Ask for a known peer with PROMPT, in the minibuffer; return its id."
  (let ((choices nil))
    (maphash (lambda (id peer)
               (push (cons (format "%s  %s" (meta-log-peer-sync-core-name id)
                                   (if (meta-log-peer-sync-peer-online peer) "online"
                                     "offline"))
                           id)
                     choices)
               (push (cons id id) choices))
             meta-log-peer-sync-core-peers)
    (unless choices
      (user-error "No peer is known yet; wait until one announces itself"))
    (let ((answer (completing-read prompt choices nil t)))
      (or (cdr (assoc answer choices)) answer))))

(defun meta-log-peer-sync-core-check-peer-id (peer-id)
  "Return PEER-ID, or signal a `user-error' when it is not the id of a peer."
  (if (and (stringp peer-id) (string-match-p "\\`peer-[a-z2-7]\\{52\\}\\'" peer-id))
      peer-id
    (user-error "%S is not a peer id, which is peer- and 52 characters; copy it whole"
                peer-id)))

(defun meta-log-peer-sync-core-unload-function ()
  "Cancel the timers."
  (dolist (timer (list meta-log-peer-sync-core--refresh-timer
                       meta-log-peer-sync-core--broker-timer
                       meta-log-peer-sync-core--held-timer))
    (when timer (cancel-timer timer)))
  nil)

(provide 'meta-log-peer-sync-core)
;;; meta-log-peer-sync-core.el ends here
