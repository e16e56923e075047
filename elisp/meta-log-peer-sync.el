;;; meta-log-peer-sync.el --- Share canvases with peers, signed, over MQTT  -*- lexical-binding: t; -*-

;; Copyright (C) 2026 The meta-log-peer-sync authors

;; SPDX-License-Identifier: MIT

;; Author: The meta-log-peer-sync authors
;; Version: 0.1.0
;; URL: https://github.com/bthornemail/meta-log-peer-sync
;; Keywords: comm, hypermedia, files
;; Package-Requires: ((emacs "28.1") (jsonrpc "1.0.14"))

;;; Commentary:

;; People who think on canvases share them between machines and with each
;; other: CanvasL, JSON Canvas, Org and text files, signed by their authors,
;; over any MQTT broker, or none on one machine.  A sidecar written in Python
;; does the work; this package starts it and speaks with it.
;;
;; M-x meta-log-peer-sync-start starts it.  M-x meta-log-peer-sync-mode shares
;; the visited file and syncs it after every save.  M-x meta-log-peer-sync-menu
;; has every command.  M-x meta-log-peer-sync-peers
;; and M-x meta-log-peer-sync-documents show who and what is there.  Nothing
;; happens when this file is loaded, unless META_LOG_ENABLE_FEDERATION=1 in
;; the environment asks for a start after the init file.
;;
;; For programs: the hooks `meta-log-peer-sync-*-functions', and the
;; functions of `meta-log-peer-sync-demo', `meta-log-federation',
;; `meta-log-mqtt', `meta-log-webrtc' and `meta-log-identity', which this
;; file loads.

;;; Code:

(require 'cl-lib)
(require 'meta-log-peer-sync-core)
(require 'meta-log-peer-sync-demo)
(require 'meta-log-federation)
(require 'meta-log-mqtt)
(require 'meta-log-webrtc)
(require 'meta-log-identity)

(autoload 'meta-log-peer-sync-menu "meta-log-peer-sync-menu"
  "Show the commands of this package, each with one key." t)
(autoload 'meta-log-peer-sync-identity "meta-log-peer-sync-peers"
  "Show who this peer is, and copy its id; return t at once." t)
(autoload 'meta-log-peer-sync-safety-words "meta-log-peer-sync-peers"
  "Show the words that the peer PEER-ID and you both see; return t at once." t)
(autoload 'meta-log-peer-sync-peers "meta-log-peer-sync-peers"
  "List the known peers; return the buffer." t)
(autoload 'meta-log-peer-sync-documents "meta-log-peer-sync-documents"
  "List the documents; return the buffer." t)
(autoload 'meta-log-peer-sync-list-spaces "meta-log-peer-sync-spaces"
  "List the spaces, their folders, and what waits there; return the buffer." t)
(autoload 'meta-log-peer-sync-share-folder "meta-log-peer-sync-spaces"
  "Show the documents of a space in a folder; return t at once." t)
(autoload 'meta-log-peer-sync-create-space "meta-log-peer-sync-spaces"
  "Make a local space; return t at once." t)
(autoload 'meta-log-peer-sync-leave-space "meta-log-peer-sync-spaces"
  "Watch the folder that a space shares no more; return t at once." t)
(autoload 'meta-log-peer-sync-auto-sync "meta-log-peer-sync-spaces"
  "Take changes of files as they happen, or only when asked; return t." t)
(autoload 'meta-log-peer-sync-sync-all "meta-log-peer-sync-spaces"
  "Take what changed in every folder, and compare with the peers; return t." t)
(autoload 'meta-log-peer-sync-confirm-deletions "meta-log-peer-sync-spaces"
  "Decide about the deletions of a space that are held; return t at once." t)
(autoload 'meta-log-peer-sync-mirror "meta-log-peer-sync-mirror"
  "Let a git repository in DIRECTORY follow the documents." t)
(autoload 'meta-log-peer-sync-mirror-off "meta-log-peer-sync-mirror"
  "Let no git repository follow the documents any more." t)
(autoload 'meta-log-peer-sync-mirror-status "meta-log-peer-sync-mirror"
  "Say which git repository follows the documents." t)
(autoload 'meta-log-peer-sync-mirror-log "meta-log-peer-sync-mirror"
  "Show the git log of DOCUMENT." t)
(autoload 'meta-log-peer-sync-doctor "meta-log-peer-sync-doctor"
  "Look at everything that can be broken; return the buffer." t)
(autoload 'meta-log-peer-sync-install-sidecar "meta-log-peer-sync-install"
  "Install the sidecar for this Emacs; return t at once." t)
(autoload 'meta-log-peer-sync-upgrade-sidecar "meta-log-peer-sync-install"
  "Bring the sidecar to the version of this package; return t at once." t)
(autoload 'meta-log-peer-sync-remove-sidecar "meta-log-peer-sync-install"
  "Remove the sidecar that Emacs has installed; return t at once." t)
(declare-function meta-log-peer-sync-history-show "meta-log-peer-sync-history")
(declare-function meta-log-peer-sync-conflicts-show "meta-log-peer-sync-conflicts")
(declare-function meta-log-peer-sync-conflicts-records "meta-log-peer-sync-conflicts")
(declare-function meta-log-peer-sync-conflicts-settle "meta-log-peer-sync-conflicts")
(declare-function meta-log-peer-sync-conflicts-text "meta-log-peer-sync-conflicts")
(declare-function meta-log-peer-sync-conflicts-value "meta-log-peer-sync-conflicts")
(declare-function meta-log-peer-sync-conflicts-where "meta-log-peer-sync-conflicts")

;;;; Start and stop

;;;###autoload
(defun meta-log-peer-sync-start ()
  "Start the local peer; return t at once.
Documents of new peers are held back until you accept the peer, once, with
\\[meta-log-peer-sync-accept-peer], unless `meta-log-peer-sync-trust-policy'
or the configuration says otherwise."
  (interactive)
  (let ((running (meta-log-peer-sync-rpc-running-p)))
    (meta-log-peer-sync-core-start)
    (meta-log-peer-sync-rpc-refresh-status
     (lambda (status)
       (message "%s" (meta-log-peer-sync--summary status))))
    (unless running
      (message "Starting the peer…")))
  t)

;;;###autoload
(defun meta-log-peer-sync-stop ()
  "Stop the local peer of this Emacs; return t at once.
Another Emacs on the same state directory goes on.  What you save now
goes out after the next \\[meta-log-peer-sync-start]."
  (interactive)
  (meta-log-peer-sync-core-stop)
  (message "The peer is stopped")
  t)

;;;###autoload
(defun meta-log-peer-sync-restart ()
  "Stop the sidecar and start it again with the options as they are now."
  (interactive)
  (if (not (meta-log-peer-sync-rpc-running-p))
      (meta-log-peer-sync-start)
    (let ((policy (plist-get (meta-log-peer-sync-rpc-arguments) :policy)))
      (meta-log-peer-sync-rpc-stop)
      (meta-log-peer-sync-core-start :policy policy)
      (message "The peer is started again")
      t)))

(defun meta-log-peer-sync--summary (status)
  "Return STATUS as one line."
  (let ((broker (plist-get status :broker)) (peers (plist-get status :peers)))
    (format "%s on %s (%s%s), %s of %s online, %s%s%s; policy %s"
            (or (and (plist-get status :name)
                     (meta-log-peer-sync-core-plain (plist-get status :name)))
                (meta-log-peer-sync-core-name (plist-get status :peer_id)))
            (meta-log-peer-sync-core-plain (plist-get broker :url))
            (meta-log-peer-sync-core-plain (plist-get broker :state))
            (if (and (stringp (plist-get broker :error))
                     (not (equal (plist-get broker :state) "connected")))
                (concat ": " (meta-log-peer-sync-core-plain (plist-get broker :error) 200))
              "")
            (or (plist-get peers :online) 0)
            (meta-log-peer-sync-core-count (plist-get peers :known) "peer")
            (meta-log-peer-sync-core-count (plist-get status :documents) "document")
            (if (> (or (plist-get status :held) 0) 0)
                (format ", %d held back" (plist-get status :held)) "")
            (concat
             (if (> (or (plist-get status :conflicts) 0) 0)
                 (format ", %d in conflict" (plist-get status :conflicts)) "")
             (if (> (or (plist-get status :held_deletions) 0) 0)
                 (format ", %s held" (meta-log-peer-sync-core-count
                                      (plist-get status :held_deletions) "deletion"))
               ""))
            (plist-get status :policy))))

;;;###autoload
(defun meta-log-peer-sync-status ()
  "Show the state of the local peer; return it as one line.
The line is what is known now; a message brings the news of the sidecar."
  (interactive)
  (let ((text
         (pcase (meta-log-peer-sync-rpc-state)
           ('stopped "The peer is not running; M-x meta-log-peer-sync-start")
           ('failed (concat "The peer is not running: " (meta-log-peer-sync-rpc-failure)))
           ('starting "The peer is starting")
           ('waiting "The sidecar was lost and is started again")
           (_ (meta-log-peer-sync-rpc-refresh-status
               (lambda (status) (message "%s" (meta-log-peer-sync--summary status))))
              (meta-log-peer-sync--summary (meta-log-peer-sync-rpc-status))))))
    (message "%s" text)
    text))

;;;###autoload
(defun meta-log-peer-sync-health ()
  "Ask the sidecar whether it can do its work, and show the answer; return t."
  (interactive)
  (meta-log-peer-sync-core-request
   "health" nil
   (lambda (answer)
     (message "%s" (mapconcat
                    (lambda (check)
                      (format "%s %s: %s"
                              (if (eq t (plist-get check :ok)) "ok  " "FAIL")
                              (meta-log-peer-sync-core-plain (plist-get check :name) 40)
                              (meta-log-peer-sync-core-plain (plist-get check :detail) 160)))
                    (plist-get answer :checks) "\n"))))
  t)

;;;; Help

;;;###autoload
(defun meta-log-peer-sync-manual ()
  "Open the Info manual of this package."
  (interactive)
  (let ((file (expand-file-name "meta-log-peer-sync.info"
                                meta-log-peer-sync-rpc--directory)))
    (info (if (file-readable-p file) file "(meta-log-peer-sync)"))))

(defun meta-log-peer-sync--follow-link (&rest _ignored)
  "Open the manual, for a link in a customization buffer."
  (meta-log-peer-sync-manual))

;;;###autoload
(defun meta-log-peer-sync-customize ()
  "Customize the options of this package."
  (interactive)
  (customize-group 'meta-log-peer-sync))

;;;; Files

;;;###autoload
(defun meta-log-peer-sync-sync-file (file)
  "Sync FILE with all peers; return its absolute name at once.
Interactively, the visited file, or with a prefix argument any file."
  (interactive
   (list (if (or current-prefix-arg (not buffer-file-name))
             (read-file-name "Sync file: " nil nil t)
           (when (buffer-modified-p) (save-buffer))
           buffer-file-name)))
  (meta-log-peer-sync-core-sync-file file))

(defun meta-log-peer-sync--after-save ()
  "Sync the file that was just saved; a synced copy is synced anyway."
  (unless (meta-log-peer-sync-edit-document-p)
    (meta-log-peer-sync-core-sync-saved buffer-file-name)))
(put 'meta-log-peer-sync--after-save 'permanent-local-hook t)

(defun meta-log-peer-sync--share ()
  "Sync the visited file, which is shared from now on.
The mode is turned off again when its name cannot be that of a document."
  (condition-case problem
      (let ((buffer (current-buffer)))
        (unless (or (meta-log-peer-sync-rpc-running-p) (meta-log-peer-sync-core-stopped-p))
          (meta-log-peer-sync-core-start))
        (meta-log-peer-sync-core-sync-saved
         buffer-file-name nil
         (lambda (problem)
           (when (and (buffer-live-p buffer)
                      (string-prefix-p "path-" (or (plist-get (plist-get problem :data)
                                                              :reason)
                                                   "")))
             (with-current-buffer buffer (meta-log-peer-sync-mode -1))))))
    (error (message "meta-log-peer-sync: %s" (error-message-string problem)))))

(defun meta-log-peer-sync--refuse (why)
  "Turn the mode off again and signal WHY, a string."
  (meta-log-peer-sync-mode -1)
  (user-error "%s" why))

(defcustom meta-log-peer-sync-mode-hook nil
  "Functions called after `meta-log-peer-sync-mode' was turned on or off."
  :type 'hook
  :group 'meta-log-peer-sync
  :package-version '(meta-log-peer-sync . "0.1.0"))

;;;###autoload
(define-minor-mode meta-log-peer-sync-mode
  "Share the visited file, and sync it after every save.
The name of the file, without its folder, is the name that other people
see.  What they change is saved in the synced folder, as
\\[meta-log-peer-sync-documents] shows; this file is never written.  The
synced copies themselves are synced after every save without this mode."
  :lighter meta-log-peer-sync-modeline
  :group 'meta-log-peer-sync
  (cond
   ((not meta-log-peer-sync-mode)
    (remove-hook 'after-save-hook #'meta-log-peer-sync--after-save t))
   ((not buffer-file-name)
    (meta-log-peer-sync--refuse "This buffer visits no file; save it under a name first"))
   ((meta-log-peer-sync-core-unsyncable buffer-file-name)
    (meta-log-peer-sync--refuse (meta-log-peer-sync-core-unsyncable buffer-file-name)))
   (t
    (add-hook 'after-save-hook #'meta-log-peer-sync--after-save nil t)
    (when (file-exists-p buffer-file-name)
      (meta-log-peer-sync--share)))))

;; A buffer that is reverted, or gets another major mode, goes on.
(put 'meta-log-peer-sync-mode 'permanent-local t)

;;;; Peers

;;;###autoload
(defun meta-log-peer-sync-connect (peer-id)
  "Ask the peer PEER-ID to answer, and compare documents with it; return t."
  (interactive (list (meta-log-peer-sync-core-read-peer "Connect to peer: ")))
  (meta-log-federation-connect-to-peer peer-id))

;;;###autoload
(defun meta-log-peer-sync-accept-peer (peer-id)
  "Accept the peer PEER-ID: take its documents, now and from now on; return t."
  (interactive (list (meta-log-peer-sync-core-read-peer "Accept peer: ")))
  (meta-log-peer-sync-core-request
   "trust.accept" (list :peer_id (meta-log-peer-sync-core-check-peer-id peer-id))
   (lambda (answer)
     (message "%s is accepted, %s taken" (meta-log-peer-sync-core-name peer-id)
              (meta-log-peer-sync-core-count (plist-get answer :released) "document"))
     (meta-log-peer-sync-core-refresh-peers)))
  t)

;;;###autoload
(defun meta-log-peer-sync-block-peer (peer-id)
  "Block the peer PEER-ID: take nothing of it from now on; return t."
  (interactive (list (meta-log-peer-sync-core-read-peer "Block peer: ")))
  (meta-log-peer-sync-core-request
   "trust.block" (list :peer_id (meta-log-peer-sync-core-check-peer-id peer-id))
   (lambda (_answer)
     (message "%s is blocked; M-x meta-log-peer-sync-accept-peer takes it back"
              (meta-log-peer-sync-core-name peer-id))
     (meta-log-peer-sync-core-refresh-peers)))
  t)

;;;; History

(defun meta-log-peer-sync--document-name (file)
  "Return FILE as the name of a document.
A file below the synced folder, or in the folder of a space, has its
relative name there, every other one its name without the folder."
  (if (not (file-name-absolute-p file))
      file
    (or (meta-log-peer-sync-core-folder-name file)
        (file-name-nondirectory file))))

(defun meta-log-peer-sync--completion (method params function)
  "Return a completion table of what the sidecar answers to METHOD with PARAMS.
FUNCTION makes candidates of the answer.  The question appears at once;
its candidates are there when the answer is."
  (let (candidates)
    (meta-log-peer-sync-core-request
     method params
     (lambda (answer) (setq candidates (funcall function answer)))
     #'ignore)
    (lambda (string predicate action)
      (if (eq action 'metadata)
          '(metadata (display-sort-function . identity))
        (complete-with-action action candidates string predicate)))))

(defun meta-log-peer-sync--read-document ()
  "Ask for the name of a document, the visited one by default."
  (let* ((visited (and buffer-file-name
                       (meta-log-peer-sync--document-name buffer-file-name)))
         (default (or visited (bound-and-true-p meta-log-peer-sync-documents--name))))
    (completing-read
     (if default (format "Document (default %s): " default) "Document: ")
     (meta-log-peer-sync--completion
      "documents.list" nil
      (lambda (answer)
        (mapcar (lambda (fields) (plist-get fields :file)) (plist-get answer :documents))))
     nil nil nil nil default)))

(defun meta-log-peer-sync--read-revision (document)
  "Ask for a revision of DOCUMENT; return the digits of its id."
  (let ((answer
         (completing-read
          "Revision: "
          (meta-log-peer-sync--completion
           "documents.history" (list :file (meta-log-peer-sync--document-name document))
           (lambda (answer)
             (nreverse
              (mapcar (lambda (fields)
                        (format "%s  %s  %s  %s"
                                (substring (plist-get fields :revision) 0 12)
                                (meta-log-peer-sync-core-plain (plist-get fields :time))
                                (meta-log-peer-sync-core-name (plist-get fields :peer_id))
                                (plist-get fields :state)))
                      (plist-get answer :revisions))))))))
    (car (split-string answer))))

;;;###autoload
(defun meta-log-peer-sync-history (document)
  "Show every revision of DOCUMENT, a document's or file's name.
Return the buffer; what can be done there, its mode says."
  (interactive (list (meta-log-peer-sync--read-document)))
  (require 'meta-log-peer-sync-history)
  (meta-log-peer-sync-history-show
   (meta-log-peer-sync--document-name document)))

;;;###autoload
(defun meta-log-peer-sync-restore (document revision)
  "Make REVISION of DOCUMENT the newest one; return t at once.
REVISION is 8 or more digits of its id; \\[meta-log-peer-sync-history] shows
them.  Nothing is lost: the present version stays in the history.  In a
conflict this settles it."
  (interactive (let ((document (meta-log-peer-sync--read-document)))
                 (list document (meta-log-peer-sync--read-revision document))))
  (unless (and (stringp revision)
               (string-match-p "\\`[0-9a-f]\\{8,64\\}\\'" revision))
    (user-error "%S is not a revision; M-x meta-log-peer-sync-history shows them" revision))
  (let ((name (meta-log-peer-sync--document-name document)))
    (meta-log-peer-sync-core-request
     "documents.restore" (list :file name :revision revision)
     (lambda (answer)
       (message "%s is restored; the new revision is %s"
                (meta-log-peer-sync-core-plain name)
                (substring (plist-get answer :revision) 0 8))
       (meta-log-peer-sync-view-follow answer "you")
       ;; Its message goes out when there is a broker; the lists know it now.
       (meta-log-peer-sync-core--changed (list :event "document-restored" :file name))))
    t))

;;;; Conflicts

;;;###autoload
(defun meta-log-peer-sync-conflicts ()
  "Show the values that two people changed at once; return the buffer.
There each can be looked at, and settled for everybody.  Versions that are
no text, and so cannot be merged, are listed as a whole."
  (interactive)
  (require 'meta-log-peer-sync-conflicts)
  (meta-log-peer-sync-conflicts-show))

(defun meta-log-peer-sync--read-conflict ()
  "Ask for an open conflict; return its record."
  (require 'meta-log-peer-sync-conflicts)
  (let* (records
         (answer
          (completing-read
           "Conflict: "
           (meta-log-peer-sync--completion
            "conflicts.list" nil
            (lambda (answer)
              (setq records
                    (cl-remove-if-not (lambda (record) (plist-get record :place))
                                      (mapcar #'cdr (meta-log-peer-sync-conflicts-records
                                                     answer))))
              (mapcar (lambda (record)
                        (let ((place (plist-get record :place)))
                          (format "%s  %s  %s" (substring (plist-get place :number) 0 12)
                                  (meta-log-peer-sync-core-plain (plist-get record :file))
                                  (meta-log-peer-sync-conflicts-where place))))
                      records)))))
         (digits (car (split-string answer))))
    (or (cl-find-if (lambda (record)
                      (and digits
                           (string-prefix-p digits (plist-get (plist-get record :place)
                                                              :number))))
                    records)
        (user-error "There is no such conflict; M-x meta-log-peer-sync-conflicts lists them"))))

(defun meta-log-peer-sync--read-choice (place)
  "Ask with what to settle PLACE; return (CHOICE VALUE)."
  (let* ((first (plist-get (plist-get place :a) :value))
         (second (plist-get (plist-get place :b) :value))
         (values `(("first" . ,first) ("second" . ,second) ("kept") ("both") ("other")))
         (completion-extra-properties
          (list :annotation-function
                (lambda (choice)
                  (let ((value (cdr (assoc choice values))))
                    (cond ((stringp value)
                           (concat "  " (meta-log-peer-sync-core-plain value 60)))
                          ((equal choice "kept") "  what stands now")
                          ((equal choice "both") "  the lines of both, in a text")
                          ((equal choice "other") "  a value that you type")
                          (t "  (removed)"))))))
         (choice (completing-read "Settle it with: " values nil t)))
    (pcase choice
      ("first" '("a" nil))
      ("second" '("b" nil))
      ("kept" '("kept" nil))
      ("both" '("both" nil))
      ("other"
       (list "value"
             (meta-log-peer-sync-conflicts-value
              place (read-string "Value: " (meta-log-peer-sync-conflicts-text
                                            (or first second))))))
      (_ (user-error "Nothing was settled")))))

;;;###autoload
(defun meta-log-peer-sync-resolve (document number choice &optional value)
  "Settle one conflict of DOCUMENT, for everybody; return t at once.
NUMBER is 8 or more digits of its id, as the RPC `conflicts.list' gives
it.  CHOICE is \"a\" or \"b\", for the first or second value, \"ours\" or
\"theirs\" for your value or the other one, \"both\" for the lines of both
in a text, \"kept\" for what stands now, or \"value\" for VALUE: JSON text
in a canvas, or nil to remove what is there.
\\[meta-log-peer-sync-conflicts] shows the conflicts."
  (interactive
   (let* ((record (meta-log-peer-sync--read-conflict))
          (place (plist-get record :place)))
     (append (list (plist-get record :file) (plist-get place :number))
             (meta-log-peer-sync--read-choice place))))
  (require 'meta-log-peer-sync-conflicts)
  (unless (and (stringp number) (string-match-p "\\`[0-9a-f]\\{8,64\\}\\'" number))
    (user-error "%S is not a conflict; M-x meta-log-peer-sync-conflicts shows them" number))
  (unless (member choice '("a" "b" "ours" "theirs" "both" "kept" "value"))
    (user-error "%S is no choice; give \"a\", \"b\", \"ours\", \"theirs\", \"both\", \
\"kept\" or \"value\"" choice))
  (unless (or (null value) (and (stringp value) (equal choice "value")))
    (user-error "VALUE is a string, and goes with the choice \"value\""))
  (meta-log-peer-sync-conflicts-settle
   (meta-log-peer-sync--document-name document) number choice value)
  t)

;;;; Mode line

(defvar mode-line-misc-info)

(defcustom meta-log-peer-sync-modeline-mode-hook nil
  "Functions called after the state in the mode line was turned on or off."
  :type 'hook
  :group 'meta-log-peer-sync
  :package-version '(meta-log-peer-sync . "0.1.0"))

;;;###autoload
(define-minor-mode meta-log-peer-sync-modeline-mode
  "Show the state of the local peer in every mode line.
`Sync:2' is two peers online, `-' stopped, `~' starting, `!' failed or
without a broker; `?3' means that three documents are held back until
you accept who sent them.  Its help text says why."
  :global t
  :group 'meta-log-peer-sync
  (setq global-mode-string
        (delq 'meta-log-peer-sync-modeline
              (if (listp global-mode-string) global-mode-string
                (list global-mode-string))))
  (when meta-log-peer-sync-modeline-mode
    (setq global-mode-string
          (append (or global-mode-string '("")) '(meta-log-peer-sync-modeline)))))

;;;; Start from the environment

(defun meta-log-peer-sync--start-from-environment ()
  "Start the peer as META_LOG_ENABLE_FEDERATION asks; an error is a message."
  (condition-case problem
      (meta-log-peer-sync-start)
    (error (message "meta-log-peer-sync: %s" (error-message-string problem)))))

(when (equal (getenv "META_LOG_ENABLE_FEDERATION") "1")
  (cond ((not after-init-time)
         (add-hook 'emacs-startup-hook #'meta-log-peer-sync--start-from-environment))
        ((daemonp)
         (run-at-time 0 nil #'meta-log-peer-sync--start-from-environment))))

(defun meta-log-peer-sync-unload-function ()
  "Stop the peer and unload the parts."
  (meta-log-peer-sync-modeline-mode -1)
  (remove-hook 'emacs-startup-hook #'meta-log-peer-sync--start-from-environment)
  (dolist (buffer (buffer-list))
    (with-current-buffer buffer
      (when meta-log-peer-sync-mode (meta-log-peer-sync-mode -1))))
  (meta-log-peer-sync-rpc-stop)
  (dolist (part '(meta-log-peer-sync-menu
                  meta-log-peer-sync-peers meta-log-peer-sync-history
                  meta-log-peer-sync-conflicts meta-log-peer-sync-spaces
                  meta-log-peer-sync-mirror meta-log-peer-sync-doctor
                  meta-log-peer-sync-install meta-log-peer-sync-documents
                  meta-log-peer-sync-list
                  meta-log-federation meta-log-peer-sync-demo meta-log-mqtt
                  meta-log-webrtc meta-log-identity meta-log-peer-sync-core
                  meta-log-peer-sync-view meta-log-peer-sync-guard
                  meta-log-peer-sync-edit meta-log-peer-sync-progress
                  meta-log-peer-sync-events meta-log-peer-sync-rpc))
    (when (featurep part)
      (unload-feature part t)))
  nil)

(provide 'meta-log-peer-sync)
;;; meta-log-peer-sync.el ends here
