;;; meta-log-peer-sync-list.el --- Lists that follow the federation  -*- lexical-binding: t; -*-

;; Copyright (C) 2026 The meta-log-peer-sync authors

;; SPDX-License-Identifier: MIT

;; Author: The meta-log-peer-sync authors
;; Version: 0.1.0
;; URL: https://github.com/bthornemail/meta-log-peer-sync
;; Keywords: comm, tools

;;; Commentary:

;; What the lists of peers, documents, revisions and conflicts share: they
;; are filled when the sidecar answers, and change row by row afterwards,
;; because printing a long list anew takes too long and moves point.

;;; Code:

(require 'cl-lib)
(require 'subr-x)
(require 'tabulated-list)
(require 'meta-log-peer-sync-core)

(autoload 'meta-log-peer-sync-menu "meta-log-peer-sync-menu"
  "Show the commands of this package, each with one key." t)

(defface meta-log-peer-sync-list-good '((t :inherit success))
  "Face for what is well: a peer that is online."
  :group 'meta-log-peer-sync
  :package-version '(meta-log-peer-sync . "0.1.0"))

(defface meta-log-peer-sync-list-attention '((t :inherit warning))
  "Face for what waits for you: conflicts, held documents, unknown peers."
  :group 'meta-log-peer-sync
  :package-version '(meta-log-peer-sync . "0.1.0"))

(defface meta-log-peer-sync-list-faded '((t :inherit shadow))
  "Face for what is not there: peers that are offline, deleted documents."
  :group 'meta-log-peer-sync
  :package-version '(meta-log-peer-sync . "0.1.0"))

(defvar-local meta-log-peer-sync-list--fetch nil
  "Function that asks for the entries.
It calls its first argument with them, or its second one with the problem.")
(defvar-local meta-log-peer-sync-list--state nil
  "How far the first entries are: nil, `loading', `loaded', or why there are none.")
(defvar-local meta-log-peer-sync-list--events nil
  "Names of the events after which the entries are asked for again.")
(defvar-local meta-log-peer-sync-list--timer nil "Timer of the next refresh.")
(defvar-local meta-log-peer-sync-list--rest nil "Timer of the rows that are still to come.")
(defconst meta-log-peer-sync-list--at-once 150 "New rows that are printed at once.")

(defvar meta-log-peer-sync-list-mode-map
  (let ((map (make-sparse-keymap)))
    (set-keymap-parent map tabulated-list-mode-map)
    (define-key map "g" #'revert-buffer)
    (define-key map "q" #'quit-window)
    (define-key map "n" #'next-line)
    (define-key map "p" #'previous-line)
    (define-key map "?" #'meta-log-peer-sync-menu)
    map)
  "Keys of all lists of the package.")

(define-derived-mode meta-log-peer-sync-list-mode tabulated-list-mode "Sync-List"
  "Parent of the modes that list peers, documents, revisions and conflicts."
  (setq-local revert-buffer-function #'meta-log-peer-sync-list--revert)
  (setq-local bidi-display-reordering nil)
  (setq-local imenu-create-index-function #'meta-log-peer-sync-list--index)
  (add-hook 'eldoc-documentation-functions #'meta-log-peer-sync-list--explain nil t)
  (setq tabulated-list-padding 1)
  (add-hook 'meta-log-peer-sync-core-changed-functions #'meta-log-peer-sync-list--on-change)
  (add-hook 'kill-buffer-hook #'meta-log-peer-sync-list--forget nil t))

(defun meta-log-peer-sync-list--index ()
  "Return an index of the first column that is not empty, for imenu."
  (let (index)
    (save-excursion
      (goto-char (point-min))
      (while (not (eobp))
        (let ((entry (tabulated-list-get-entry)))
          (when entry
            (push (cons (or (cl-find "" entry :test-not #'equal) "") (point-marker)) index)))
        (forward-line 1)))
    (nreverse index)))

(defun meta-log-peer-sync-list--explain (&rest _ignored)
  "Return the row at point in full, for eldoc: columns may be too narrow."
  (let ((columns (tabulated-list-get-entry)))
    (when columns
      (string-join
       (cl-loop for (name . _) across tabulated-list-format
                for text across columns
                for value = (string-trim (if (consp text) (car text) text))
                unless (string-empty-p value)
                collect (if (string-empty-p name) value (concat name ": " value)))
       ", "))))

(defun meta-log-peer-sync-list--place (position)
  "Return (ID COLUMN . POSITION), by which to find POSITION in the next list."
  (save-excursion
    (goto-char position)
    (cons (tabulated-list-get-id) (cons (current-column) position))))

(defun meta-log-peer-sync-list--find (place)
  "Return where PLACE is now; where its row is gone, where that was."
  (pcase-let ((`(,id ,column . ,position) place))
    (save-excursion
      (goto-char (point-min))
      (while (not (or (eobp) (equal id (tabulated-list-get-id))))
        (forward-line 1))
      (if (or (null id) (eobp))
          (min position (point-max))
        (move-to-column column)
        (point)))))

(defun meta-log-peer-sync-list--print (&optional update)
  "Print the list anew; point, mark and the windows stay at their rows.
With UPDATE, print only what is not there yet, where it belongs."
  (let ((mark (and (mark t) (meta-log-peer-sync-list--place (mark t))))
        (active mark-active)
        (point (meta-log-peer-sync-list--place (point)))
        (windows (mapcar (lambda (window)
                           (list window
                                 (meta-log-peer-sync-list--place (window-point window))
                                 (meta-log-peer-sync-list--place (window-start window))))
                         (get-buffer-window-list nil nil t))))
    (tabulated-list-print nil update)
    (goto-char (meta-log-peer-sync-list--find point))
    (when mark
      (set-marker (mark-marker) (meta-log-peer-sync-list--find mark))
      (setq mark-active active
            deactivate-mark nil))
    (pcase-dolist (`(,window ,place ,start) windows)
      (set-window-start window (meta-log-peer-sync-list--find start) t)
      (set-window-point window (meta-log-peer-sync-list--find place)))))

(defun meta-log-peer-sync-list--sort-column ()
  "Return the number of the column that the list is sorted by, or nil."
  (and (car tabulated-list-sort-key)
       (tabulated-list--column-number (car tabulated-list-sort-key))))

(defun meta-log-peer-sync-list--update (new)
  "Bring the rows that are shown up to date with NEW, a table of id -> row.
What has to move is taken away.  Return the number of rows that stay."
  (let ((sorted (meta-log-peer-sync-list--sort-column)) (count 0)
        (inhibit-read-only t))
    (goto-char (point-min))
    (while (not (eobp))
      (let ((columns (tabulated-list-get-entry))
            (row (cadr (gethash (tabulated-list-get-id) new))))
        (if (or (null row)
                (and sorted (not (equal (aref columns sorted) (aref row sorted)))))
            (delete-region (point) (line-beginning-position 2))
          (unless (eq columns row)
            (dotimes (column (length columns))
              (unless (equal (aref columns column) (aref row column))
                (tabulated-list-set-col column (aref row column) t))))
          (cl-incf count)
          (forward-line 1))))
    count))

(defun meta-log-peer-sync-list-state (text)
  "Return TEXT, a word for how something is, in the face that fits."
  (let ((face (cond ((member text '("online" "connected" "accepted" "watching"))
                     'meta-log-peer-sync-list-good)
                    ((member text '("conflict" "unknown" "announced" "holding" "away"))
                     'meta-log-peer-sync-list-attention)
                    ((member text '("offline" "blocked" "deleted" "off"))
                     'meta-log-peer-sync-list-faded))))
    (if face (propertize text 'face face) text)))

(defun meta-log-peer-sync-list--some (entries)
  "Return ENTRIES without most of those that are not shown yet, if these are many.
The rest follows by a timer: to print a thousand rows at once takes so long
that it is felt."
  (let ((shown (make-hash-table :test #'equal)) (left meta-log-peer-sync-list--at-once)
        (buffer (current-buffer)) now)
    (when meta-log-peer-sync-list--rest (cancel-timer meta-log-peer-sync-list--rest))
    (setq meta-log-peer-sync-list--rest nil)
    (pcase-dolist (`(,id . ,_) tabulated-list-entries) (puthash id t shown))
    (setq now (cl-remove-if-not (lambda (entry)
                                  (or (gethash (car entry) shown)
                                      (<= 0 (cl-decf left))))
                                entries))
    (when (< left 0)
      (setq meta-log-peer-sync-list--rest
            (run-at-time 0.02 nil
                         (lambda ()
                           (when (buffer-live-p buffer)
                             (with-current-buffer buffer
                               (meta-log-peer-sync-list--set entries)))))))
    now))

(defun meta-log-peer-sync-list--await (state)
  "Show STATE, `loading' or why that failed, in place of the first entries."
  (setq meta-log-peer-sync-list--state state)
  (let ((inhibit-read-only t))
    (erase-buffer)
    (insert (propertize (if (stringp state)
                            (concat "Not loaded: " state)
                          "Loading…")
                        'face 'meta-log-peer-sync-list-faded)
            "\n")
    (goto-char (point-min))
    (set-buffer-modified-p nil)))

(defun meta-log-peer-sync-list--set (entries)
  "Show ENTRIES; rows that are the same as before are not touched."
  (setq meta-log-peer-sync-list--state 'loaded)
  (let* ((sorted (meta-log-peer-sync-list--sort-column))
         (entries (if sorted (meta-log-peer-sync-list--some entries) entries))
         (new (make-hash-table :test #'equal))
         (old (mapcar #'car tabulated-list-entries)))
    (dolist (entry entries) (puthash (car entry) entry new))
    (if (not (and old (or sorted (equal old (mapcar #'car entries)))))
        (progn (setq tabulated-list-entries entries)
               (meta-log-peer-sync-list--print))
      (let* ((place (meta-log-peer-sync-list--place (point)))
             (same (and (= (length old) (length entries))
                        (cl-every (lambda (id) (gethash id new)) old)))
             (kept (meta-log-peer-sync-list--update new)))
        (goto-char (meta-log-peer-sync-list--find place))
        (setq tabulated-list-entries entries)
        (unless (and same (= kept (length entries)))
          (meta-log-peer-sync-list--print t))))))

(defvar-local meta-log-peer-sync-list--rows nil
  "Rows of the current list, as a table of what they were made of -> row.")

(defun meta-log-peer-sync-list-rows (buffer function items)
  "Return a row for each of ITEMS, made by FUNCTION, for the list in BUFFER.
Those that were made of an equal item before are used again."
  (let ((known (buffer-local-value 'meta-log-peer-sync-list--rows buffer))
        (next (make-hash-table :test #'equal)))
    (prog1 (mapcar (lambda (item)
                     (puthash item (or (and known (gethash item known))
                                       (funcall function item))
                              next))
                   items)
      (with-current-buffer buffer
        (setq meta-log-peer-sync-list--rows next)))))

(defun meta-log-peer-sync-list--revert (&rest _ignored)
  "Ask for the entries of the current buffer again."
  (let ((buffer (current-buffer)) (first (not (eq 'loaded meta-log-peer-sync-list--state)))
        answered)
    (funcall meta-log-peer-sync-list--fetch
             (lambda (entries)
               (setq answered t)
               (when (buffer-live-p buffer)
                 (with-current-buffer buffer
                   (meta-log-peer-sync-list--set entries))))
             (lambda (problem)
               (setq answered t)
               (meta-log-peer-sync-list--failed buffer problem)))
    (when (and first (not answered))
      (meta-log-peer-sync-list--await 'loading))))

(defun meta-log-peer-sync-list--failed (buffer problem)
  "Show PROBLEM, which is why BUFFER has no entries."
  (let ((why (meta-log-peer-sync-core-plain (meta-log-peer-sync-rpc-error-text problem) 400)))
    (message "meta-log-peer-sync: %s" why)
    (when (buffer-live-p buffer)
      (with-current-buffer buffer
        (unless (eq 'loaded meta-log-peer-sync-list--state)
          (meta-log-peer-sync-list--await why))))))

(defun meta-log-peer-sync-list--buffers ()
  "Return the buffers that show a list."
  (cl-remove-if-not (lambda (buffer)
                      (with-current-buffer buffer
                        (derived-mode-p 'meta-log-peer-sync-list-mode)))
                    (buffer-list)))

(defun meta-log-peer-sync-list--on-change (event)
  "Let the lists that EVENT concerns ask again, soon and once for many.
A nil EVENT concerns those that show what Emacs knows itself."
  (dolist (buffer (meta-log-peer-sync-list--buffers))
    (with-current-buffer buffer
      (when (and (member (plist-get event :event) meta-log-peer-sync-list--events)
                 (not meta-log-peer-sync-list--timer)
                 (meta-log-peer-sync-rpc-running-p))
        (setq meta-log-peer-sync-list--timer
              ;; A long list is printed less often, so that Emacs has time for its user.
              (run-at-time (max 0.2 (/ (length tabulated-list-entries) 1000.0)) nil
                           #'meta-log-peer-sync-list--refresh buffer))))))

(defun meta-log-peer-sync-list--refresh (buffer)
  "Ask for the entries of BUFFER again."
  (when (buffer-live-p buffer)
    (with-current-buffer buffer
      (setq meta-log-peer-sync-list--timer nil)
      (when (meta-log-peer-sync-rpc-running-p)
        (meta-log-peer-sync-list--revert)))))

(defun meta-log-peer-sync-list--forget ()
  "The current buffer, a list, is killed: nobody asks for it any more."
  (dolist (timer (list meta-log-peer-sync-list--timer meta-log-peer-sync-list--rest))
    (when timer (cancel-timer timer)))
  (unless (cdr (meta-log-peer-sync-list--buffers))
    (remove-hook 'meta-log-peer-sync-core-changed-functions
                 #'meta-log-peer-sync-list--on-change)))

(defun meta-log-peer-sync-list-show (name mode fetch events)
  "Show the list called NAME in MODE; return its buffer at once.
FETCH is called with two functions: one to call with the entries, one to
call with the problem when they cannot be had.  EVENTS are the names of
events that change them; nil is one that concerns everything."
  (let ((buffer (get-buffer-create name)))
    (with-current-buffer buffer
      (unless (derived-mode-p mode)
        (funcall mode))
      (setq meta-log-peer-sync-list--fetch fetch
            meta-log-peer-sync-list--events events)
      (meta-log-peer-sync-list--revert))
    (unless noninteractive (pop-to-buffer buffer))
    buffer))

(defun meta-log-peer-sync-list-check ()
  "Signal a `user-error' while the current list has not got its first entries."
  (cond ((eq 'loading meta-log-peer-sync-list--state)
         (user-error "The list is still loading; try again in a moment"))
        ((stringp meta-log-peer-sync-list--state)
         (user-error "The list could not be loaded: %s; g asks again"
                     meta-log-peer-sync-list--state))))

(defun meta-log-peer-sync-list-id ()
  "Return the id of the row at point, or signal a `user-error'."
  (or (tabulated-list-get-id)
      (progn
        (meta-log-peer-sync-list-check)
        (user-error (if tabulated-list-entries
                        "There is no entry on this line; move to one"
                      "The list is empty; g refreshes it")))))

(defun meta-log-peer-sync-list-unload-function ()
  "Leave no function in the hooks."
  (remove-hook 'meta-log-peer-sync-core-changed-functions
               #'meta-log-peer-sync-list--on-change)
  nil)

(provide 'meta-log-peer-sync-list)
;;; meta-log-peer-sync-list.el ends here
