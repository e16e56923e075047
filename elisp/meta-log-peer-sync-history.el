;;; meta-log-peer-sync-history.el --- The revisions of a document  -*- lexical-binding: t; -*-

;; Copyright (C) 2026 The meta-log-peer-sync authors

;; SPDX-License-Identifier: MIT

;; Author: The meta-log-peer-sync authors
;; Version: 0.1.0
;; URL: https://github.com/bthornemail/meta-log-peer-sync
;; Keywords: comm, tools, vc

;;; Commentary:

;; M-x meta-log-peer-sync-history lists every revision of a document, newest
;; first, as a log: who, when, how large.  `RET' shows the text of one, `d'
;; what it changed, `m' marks two to compare, `r' brings one back, `P' keeps
;; one whatever is dropped.  Of a long history `+' shows more.
;;
;; All that it shows was written by other people.  The differences are shown
;; by `diff-mode', without what that does for the files of one's own: it would
;; call the major mode that a text asks for, in order to colour it.

;;; Code:

(require 'cl-lib)
(require 'diff)
(require 'diff-mode)
(require 'meta-log-peer-sync-documents)

(declare-function meta-log-peer-sync-mirror-log "meta-log-peer-sync-mirror")

(defconst meta-log-peer-sync-history--limit (* 8 1024 1024)
  "Characters of differences that are shown.")

(defcustom meta-log-peer-sync-history-page 500
  "How many revisions of a document are shown at first, and more each time."
  :type 'natnum
  :group 'meta-log-peer-sync
  :package-version '(meta-log-peer-sync . "0.1.0"))

(defconst meta-log-peer-sync-history--keys
  "RET show  d diff  m mark  r restore  P pin  l git  + older  ? menu"
  "What can be done, for the header line.")

(defvar-local meta-log-peer-sync-history--count nil
  "How many revisions the current buffer asks for.")
(defvar-local meta-log-peer-sync-history--more nil
  "Non-nil when there are older revisions than the current buffer lists.")
(defvar-local meta-log-peer-sync-history--revisions nil
  "The revisions that the current buffer lists, plists, newest first.")
(defvar-local meta-log-peer-sync-history--marks nil
  "Ids of the marked revisions, two at most, the last marked one first.")

;;;; The log

(defvar meta-log-peer-sync-history-mode-map
  (let ((map (make-sparse-keymap)))
    (set-keymap-parent map meta-log-peer-sync-list-mode-map)
    (define-key map (kbd "RET") #'meta-log-peer-sync-history-view)
    (define-key map "v" #'meta-log-peer-sync-history-view)
    (define-key map "d" #'meta-log-peer-sync-history-diff)
    (define-key map "m" #'meta-log-peer-sync-history-mark)
    (define-key map "r" #'meta-log-peer-sync-history-restore)
    (define-key map "P" #'meta-log-peer-sync-history-pin)
    (define-key map "l" #'meta-log-peer-sync-history-git-log)
    (define-key map "+" #'meta-log-peer-sync-history-older)
    map)
  "Keys of `meta-log-peer-sync-history-mode'.")

(define-derived-mode meta-log-peer-sync-history-mode meta-log-peer-sync-list-mode "History"
  "Major mode for the revisions of a document, newest first.
The state of a revision is `current', `merged' (with other ones, into what
the document shows now), `concurrent' (beside the current one, where the
content is no text) or `past'; one that is `pinned' stays whatever is
dropped, and the text of one that was `dropped' is not here any more; one
that is `deleted' says that the document is no more.  A
`?' after the time: by the clock of a computer that is off by more than a
day.
\\{meta-log-peer-sync-history-mode-map}"
  (setq tabulated-list-format [("" 1 nil) ("Time" 28 nil) ("Author" 20 nil)
                               ("Bytes" 9 nil :right-align t) ("State" 17 nil)
                               ("Revision" 10 nil)]
        tabulated-list-sort-key nil)
  (tabulated-list-init-header)
  (setq header-line-format
        (list "" header-line-format "   " meta-log-peer-sync-history--keys)))

(defun meta-log-peer-sync-history--state (fields)
  "Return the state of the revision FIELDS, for people."
  (concat (meta-log-peer-sync-core-plain (plist-get fields :state))
          (if (eq (plist-get fields :deleted) t) ", deleted" "")
          (cond ((eq (plist-get fields :pinned) t) ", pinned")
                ((eq (plist-get fields :dropped) t) ", dropped")
                (t ""))))

(defun meta-log-peer-sync-history--time (fields)
  "Return the time of the revision FIELDS, for people."
  (concat (meta-log-peer-sync-core-plain (plist-get fields :time) 27)
          (if (equal (plist-get fields :clock) "unverified") "?" "")))

(defun meta-log-peer-sync-history--row (fields)
  "Return the row of the revision FIELDS."
  (let ((id (plist-get fields :revision)))
    (list id
          (vector (if (member id meta-log-peer-sync-history--marks) "*" "")
                  (meta-log-peer-sync-history--time fields)
                  (meta-log-peer-sync-documents--author fields)
                  (format "%s" (or (plist-get fields :size) 0))
                  (meta-log-peer-sync-history--state fields)
                  (meta-log-peer-sync-documents--short id)))))

(defun meta-log-peer-sync-history--fetch (document buffer)
  "Return a function that asks for the revisions of DOCUMENT to show in BUFFER."
  (lambda (function failed)
    (meta-log-peer-sync-core-request
     "documents.history"
     (list :file document
           :limit (with-current-buffer buffer
                    (or meta-log-peer-sync-history--count
                        (setq meta-log-peer-sync-history--count
                              meta-log-peer-sync-history-page))))
     (lambda (answer)
       (when (buffer-live-p buffer)
         (with-current-buffer buffer
           (setq meta-log-peer-sync-history--more (eq (plist-get answer :more) t)
                 meta-log-peer-sync-history--revisions
                 (reverse (append (plist-get answer :revisions) nil)))
           (funcall function (mapcar #'meta-log-peer-sync-history--row
                                     meta-log-peer-sync-history--revisions)))))
     failed)))

(defun meta-log-peer-sync-history-show (document)
  "List the revisions of DOCUMENT, newest first; return the buffer."
  (let* ((name (format "*history: %s*" (meta-log-peer-sync-core-plain document)))
         (buffer (meta-log-peer-sync-list-show
                  name #'meta-log-peer-sync-history-mode
                  (meta-log-peer-sync-history--fetch document (get-buffer-create name))
                  '("document-changed" "sync-started" "conflict-detected"
                    "document-restored"))))
    (with-current-buffer buffer
      (setq meta-log-peer-sync-documents--name document))
    buffer))

(defun meta-log-peer-sync-history--fields (id)
  "Return the revision ID that the current buffer lists, a plist, or nil."
  (cl-find id meta-log-peer-sync-history--revisions
           :key (lambda (fields) (plist-get fields :revision)) :test #'equal))

(defun meta-log-peer-sync-history-view ()
  "Show the text of the revision at point."
  (interactive)
  (meta-log-peer-sync-documents-export
   meta-log-peer-sync-documents--name (meta-log-peer-sync-list-id)
   #'meta-log-peer-sync-view-file))

(defun meta-log-peer-sync-history-mark ()
  "Mark the revision at point, or take its mark away, and move to the next one.
\\<meta-log-peer-sync-history-mode-map>\\[meta-log-peer-sync-history-diff] compares two \
marked revisions; a third mark replaces the first."
  (interactive)
  (let ((id (meta-log-peer-sync-list-id)))
    (setq meta-log-peer-sync-history--marks
          (if (member id meta-log-peer-sync-history--marks)
              (remove id meta-log-peer-sync-history--marks)
            (cons id (and meta-log-peer-sync-history--marks
                          (list (car meta-log-peer-sync-history--marks)))))))
  (meta-log-peer-sync-list--set (mapcar #'meta-log-peer-sync-history--row
                                        meta-log-peer-sync-history--revisions))
  (forward-line 1))

(defun meta-log-peer-sync-history-older ()
  "Show more revisions, older ones."
  (interactive)
  (meta-log-peer-sync-list-check)
  (unless meta-log-peer-sync-history--more
    (user-error "There are no older revisions"))
  (setq meta-log-peer-sync-history--count
        (+ meta-log-peer-sync-history--count meta-log-peer-sync-history-page))
  (revert-buffer))

(defun meta-log-peer-sync-history-git-log ()
  "Show the log of this document in the git mirror, if there is one."
  (interactive)
  (meta-log-peer-sync-mirror-log meta-log-peer-sync-documents--name))

(defun meta-log-peer-sync-history-pin ()
  "Keep the revision at point whatever is dropped; or no longer, if it is pinned."
  (interactive)
  (let* ((buffer (current-buffer))
         (id (meta-log-peer-sync-list-id))
         (on (not (eq t (plist-get (meta-log-peer-sync-history--fields id) :pinned)))))
    (meta-log-peer-sync-core-request
     "history.pin"
     (list :file meta-log-peer-sync-documents--name :revision id :on (if on t :json-false))
     (lambda (_answer)
       (message (if on "%s stays, whatever is dropped" "%s is not pinned any more")
                (meta-log-peer-sync-documents--short id))
       (when (buffer-live-p buffer)
         (with-current-buffer buffer (revert-buffer)))))))

(defun meta-log-peer-sync-history-restore ()
  "Make the revision at point the newest one.
Interactively it asks first, because the version goes out to everybody."
  (interactive)
  (meta-log-peer-sync-documents-ask-restore
   meta-log-peer-sync-documents--name (meta-log-peer-sync-list-id)
   (called-interactively-p 'any)))

;;;; Differences

(defvar meta-log-peer-sync-history-diff-mode-map
  (let ((map (make-sparse-keymap)))
    (define-key map "g" #'revert-buffer)
    (define-key map "q" #'quit-window)
    (define-key map [remap diff-goto-source] #'meta-log-peer-sync-history-diff-view)
    (define-key map [remap diff-apply-hunk] #'undefined)
    (define-key map [remap diff-test-hunk] #'undefined)
    (define-key map [remap diff-ediff-patch] #'undefined)
    map)
  "Keys of `meta-log-peer-sync-history-diff-mode'.")

(define-derived-mode meta-log-peer-sync-history-diff-mode diff-mode "Synced-Diff"
  "Major mode for the differences of two revisions; nothing in them is obeyed.
\\{meta-log-peer-sync-history-diff-mode-map}"
  (meta-log-peer-sync-guard-make-inert)
  (setq-local diff-font-lock-syntax nil)
  (setq-local bidi-display-reordering nil)
  (setq-local buffer-undo-list t)
  (setq buffer-read-only t))

(defvar-local meta-log-peer-sync-history--newer nil
  "The file with the newer one of the revisions that this buffer compares.")

(defun meta-log-peer-sync-history-diff-view ()
  "Show the newer one of the revisions that are compared."
  (interactive)
  (meta-log-peer-sync-view-file meta-log-peer-sync-history--newer))

(defun meta-log-peer-sync-history--before (fields)
  "Return the revision that FIELDS was made from, or nil for the first one."
  (let ((parents (append (plist-get fields :parents) nil))
        (older (cdr (memq fields meta-log-peer-sync-history--revisions))))
    (if parents
        (or (cl-find-if (lambda (one) (member (plist-get one :revision) parents)) older)
            (user-error "The revision before this one is not here%s"
                        (if meta-log-peer-sync-history--more "; + shows older ones" "")))
      ;; Another implementation's do not say what they were made from.
      (cl-find (plist-get fields :peer_id) older :test #'equal
               :key (lambda (one) (plist-get one :peer_id))))))

(defun meta-log-peer-sync-history--pair ()
  "Return (OLD . NEW), the revisions to compare; OLD may be nil."
  (let* ((marked (cl-remove-if-not
                  (lambda (fields) (member (plist-get fields :revision)
                                           meta-log-peer-sync-history--marks))
                  meta-log-peer-sync-history--revisions))
         (here (and (not (cdr marked))
                    (meta-log-peer-sync-history--fields (meta-log-peer-sync-list-id)))))
    (cond ((cdr marked) (cons (cadr marked) (car marked)))
          ((or (null marked) (eq here (car marked)))
           (cons (meta-log-peer-sync-history--before here) here))
          ((memq here (memq (car marked) meta-log-peer-sync-history--revisions))
           (cons here (car marked)))
          (t (cons (car marked) here)))))

(defun meta-log-peer-sync-history-diff ()
  "Show what the revision at point changed.
With two marked revisions, show the differences between these; with one,
those between it and the one at point."
  (interactive)
  (let ((pair (meta-log-peer-sync-history--pair))
        (document meta-log-peer-sync-documents--name))
    (meta-log-peer-sync-history--compare document (car pair) (cdr pair))))

(defun meta-log-peer-sync-history--compare (document old new)
  "Show the differences of the revisions OLD, or nothing, and NEW of DOCUMENT."
  (let ((labels (list (meta-log-peer-sync-history--label document old)
                      (meta-log-peer-sync-history--label document new)))
        (show (lambda (older newer labels)
                (meta-log-peer-sync-history--run document older newer labels))))
    (meta-log-peer-sync-documents-export
     document (plist-get new :revision)
     (lambda (newer)
       (if (null old)
           (funcall show null-device newer labels)
         (meta-log-peer-sync-documents-export
          document (plist-get old :revision)
          (lambda (older) (funcall show older newer labels))))))))

(defun meta-log-peer-sync-history--label (document fields)
  "Return how to call the revision FIELDS of DOCUMENT, nil for none."
  (if (null fields)
      "(nothing)"
    (format "%s %s, %s, %s" (meta-log-peer-sync-core-plain document)
            (meta-log-peer-sync-documents--short (plist-get fields :revision))
            (meta-log-peer-sync-documents--author fields)
            (meta-log-peer-sync-history--time fields))))

(defun meta-log-peer-sync-history--run (document older newer labels)
  "Let `diff' compare the files OLDER and NEWER of DOCUMENT; name them by LABELS."
  (let* ((buffer (get-buffer-create (format "*diff: %s*"
                                            (meta-log-peer-sync-core-plain document))))
         (folder (file-name-directory newer)))
    (with-current-buffer buffer
      (let ((process (get-buffer-process buffer)))
        (when process (delete-process process)))
      (setq default-directory folder)
      (meta-log-peer-sync-history-diff-mode)
      (setq meta-log-peer-sync-documents--name document
            meta-log-peer-sync-history--newer newer)
      (setq-local revert-buffer-function
                  (lambda (&rest _ignored)
                    (meta-log-peer-sync-history--run document older newer labels)))
      (let ((inhibit-read-only t)) (erase-buffer))
      (condition-case problem
          (make-process
           :name "meta-log-peer-sync-diff" :buffer buffer :noquery t
           :connection-type 'pipe :coding 'utf-8-unix
           :command (list diff-command "-u" "--label" (car labels) "--label" (cadr labels)
                          older newer)
           :filter #'meta-log-peer-sync-history--take
           :sentinel #'meta-log-peer-sync-history--done)
        (file-error (message "%s fails: %s" diff-command (error-message-string problem)))))
    (unless noninteractive (pop-to-buffer buffer))
    buffer))

(defun meta-log-peer-sync-history--take (process text)
  "Insert TEXT, which PROCESS, a `diff', has found."
  (when (buffer-live-p (process-buffer process))
    (with-current-buffer (process-buffer process)
      (let ((inhibit-read-only t) (room (- meta-log-peer-sync-history--limit (buffer-size))))
        (save-excursion
          (goto-char (point-max))
          (insert (substring text 0 (min room (length text)))))
        (when (< room (length text))
          (process-put process 'stopped t)
          (delete-process process))))))

(defun meta-log-peer-sync-history--done (process _event)
  "The `diff' PROCESS has ended: say so when there is nothing to see."
  (when (and (memq (process-status process) '(exit signal))
             (buffer-live-p (process-buffer process)))
    (with-current-buffer (process-buffer process)
      (let ((inhibit-read-only t))
        (save-excursion
          (goto-char (point-max))
          (cond ((process-get process 'stopped)
                 (insert "\n[The rest of the differences is not shown.]\n"))
                ((= 0 (process-exit-status process))
                 (insert "The two revisions have the same text.\n"))
                ((/= 1 (process-exit-status process))
                 (message "%s fails; see the buffer %s" diff-command (buffer-name))))))
      (set-buffer-modified-p nil)
      (goto-char (point-min)))))

(provide 'meta-log-peer-sync-history)
;;; meta-log-peer-sync-history.el ends here
