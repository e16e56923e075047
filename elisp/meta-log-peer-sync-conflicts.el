;;; meta-log-peer-sync-conflicts.el --- Values that two people changed at once  -*- lexical-binding: t; -*-

;; Copyright (C) 2026 The meta-log-peer-sync authors

;; SPDX-License-Identifier: MIT

;; Author: The meta-log-peer-sync authors
;; Version: 0.1.0
;; URL: https://github.com/bthornemail/meta-log-peer-sync
;; Keywords: comm, tools

;;; Commentary:

;; What two people change at once is merged; where both changed the very same
;; value, one of the two stands, and the place is listed here until somebody
;; has chosen.  M-x meta-log-peer-sync-conflicts shows who wrote what: `a' and
;; `b' take the first and the second value, `B' the lines of both in a text,
;; `k' keeps what stands, and `e' merges the two by hand, with Ediff.  A choice
;; counts for everybody.
;;
;; Versions that are no text cannot be merged: they are listed as a whole,
;; and `r' makes one of them the newest.
;;
;; Values come from other people.  Each line of one is shown behind a bar, so
;; that no value can look like what this file says itself.

;;; Code:

(require 'cl-lib)
(require 'subr-x)
(require 'meta-log-peer-sync-documents)

(declare-function ediff-merge-buffers "ediff")
(declare-function ediff-merge-buffers-with-ancestor "ediff")
(defvar ediff-default-variant)
(defvar ediff-buffer-C)

(defvar-local meta-log-peer-sync-conflicts--records nil
  "What the current buffer is about, as (ID . RECORD).
An ID is (DOCUMENT . NUMBER), of a place, or (DOCUMENT . REVISION).  A RECORD
is a plist of `:file', the document, and `:place' or `:version'.")
(defvar-local meta-log-peer-sync-conflicts--told nil
  "Non-nil once it was said that there are no conflicts.")

;;;; Places and values

(defun meta-log-peer-sync-conflicts-records (answer)
  "Return (ID . RECORD) of each conflict in ANSWER, of `conflicts.list'."
  (cl-loop
   for conflict across (plist-get answer :conflicts)
   for file = (plist-get conflict :file)
   append (cl-loop for place across (plist-get conflict :places)
                   collect (cons (cons file (plist-get place :number))
                                 (list :file file :place place)))
   append (cl-loop for version across (plist-get conflict :versions)
                   for revision = (plist-get version :revision)
                   collect (cons (cons file revision)
                                 (list :file file :version version
                                       :current (equal revision
                                                       (plist-get conflict :current)))))))

(defun meta-log-peer-sync-conflicts-where (place)
  "Return the path of PLACE as one harmless line."
  (if (= 0 (length (plist-get place :path)))
      "(the document itself)"
    (meta-log-peer-sync-core-plain (string-join (append (plist-get place :path) nil) "/") 200)))

(defun meta-log-peer-sync-conflicts--who (side)
  "Return who wrote the value of SIDE of a place."
  (mapconcat (lambda (id)
               (if (equal id (plist-get meta-log-peer-sync-core-identity :peer_id)) "you"
                 (meta-log-peer-sync-core-name id)))
             (plist-get side :peers) ", "))

(defun meta-log-peer-sync-conflicts--brief (side)
  "Return SIDE of a place as one harmless line: who, and the value."
  (format "%s: %s" (meta-log-peer-sync-conflicts--who side)
          (if (plist-get side :value)
              (meta-log-peer-sync-core-plain (plist-get side :value) 200)
            "(removed)")))

(defun meta-log-peer-sync-conflicts-text (value)
  "Return VALUE as text: of a JSON string, what is in it."
  (let ((text (and (stringp value) (string-prefix-p "\"" value)
                   (ignore-errors (json-parse-string value)))))
    (if (stringp text) text (or value ""))))

(defun meta-log-peer-sync-conflicts-value (place text)
  "Return TEXT in the form that the values of PLACE have.
It is a JSON string where they are."
  (let ((values (delq nil (list (plist-get (plist-get place :a) :value)
                                (plist-get (plist-get place :b) :value)))))
    (if (and values (cl-every (lambda (value)
                                (and (string-prefix-p "\"" value)
                                     (stringp (ignore-errors (json-parse-string value)))))
                              values))
        (json-encode-string text)
      text)))

;;;; The list

(defvar meta-log-peer-sync-conflicts-mode-map
  (let ((map (make-sparse-keymap)))
    (set-keymap-parent map meta-log-peer-sync-list-mode-map)
    (define-key map (kbd "RET") #'meta-log-peer-sync-conflicts-view)
    (define-key map "a" #'meta-log-peer-sync-conflicts-take-first)
    (define-key map "b" #'meta-log-peer-sync-conflicts-take-second)
    (define-key map "B" #'meta-log-peer-sync-conflicts-take-both)
    (define-key map "k" #'meta-log-peer-sync-conflicts-keep)
    (define-key map "e" #'meta-log-peer-sync-conflicts-merge)
    (define-key map "r" #'meta-log-peer-sync-conflicts-restore)
    map)
  "Keys of `meta-log-peer-sync-conflicts-mode'.")

(define-derived-mode meta-log-peer-sync-conflicts-mode meta-log-peer-sync-list-mode
  "Conflicts"
  "Major mode for values that two people changed at once.
\\{meta-log-peer-sync-conflicts-mode-map}"
  (setq tabulated-list-format [("Document" 24 t) ("Place" 20 t) ("Stands" 10 t)
                               ("First" 30 nil) ("Second" 30 nil)]
        tabulated-list-sort-key nil)
  (tabulated-list-init-header))

(defun meta-log-peer-sync-conflicts--stands (place)
  "Return which value of PLACE stands in the document."
  (pcase (plist-get place :kept)
    ("a" "first") ("b" "second") ("both" "both") (_ "another")))

(defun meta-log-peer-sync-conflicts--row (entry)
  "Return the row of ENTRY, an (ID . RECORD)."
  (pcase-let* ((`(,id . ,record) entry)
               (file (meta-log-peer-sync-core-plain (plist-get record :file) 200))
               (place (plist-get record :place))
               (version (plist-get record :version)))
    (list id
          (if place
              (vector file (meta-log-peer-sync-conflicts-where place)
                      (meta-log-peer-sync-conflicts--stands place)
                      (meta-log-peer-sync-conflicts--brief (plist-get place :a))
                      (meta-log-peer-sync-conflicts--brief (plist-get place :b)))
            (vector file (concat "version " (meta-log-peer-sync-documents--short (cdr id)))
                    (if (plist-get record :current) "in place" "beside it")
                    (meta-log-peer-sync-documents--author version)
                    (format "%s, %s"
                            (meta-log-peer-sync-core-time (plist-get version :time))
                            (meta-log-peer-sync-core-count (plist-get version :size)
                                                           "byte")))))))

(defun meta-log-peer-sync-conflicts--fetch (buffer)
  "Return a function that asks for the conflicts to show in BUFFER."
  (lambda (function failed)
    (meta-log-peer-sync-core-request
     "conflicts.list" nil
     (lambda (answer)
       (let ((records (meta-log-peer-sync-conflicts-records answer)))
         (when (buffer-live-p buffer)
           (with-current-buffer buffer
             (setq meta-log-peer-sync-conflicts--records records)
             (funcall function (mapcar #'meta-log-peer-sync-conflicts--row records))
             (unless (or records meta-log-peer-sync-conflicts--told)
               (message "There are no conflicts"))
             (setq meta-log-peer-sync-conflicts--told (null records))))
         (meta-log-peer-sync-conflicts--refresh-views records)))
     failed)))

(defun meta-log-peer-sync-conflicts-show ()
  "List the conflicts; return the buffer."
  (let ((name "*meta-log-peer-sync conflicts*"))
    (with-current-buffer (get-buffer-create name)
      (setq meta-log-peer-sync-conflicts--told nil))
    (meta-log-peer-sync-list-show
     name #'meta-log-peer-sync-conflicts-mode
     (meta-log-peer-sync-conflicts--fetch (get-buffer-create name))
     '("conflict-detected" "document-changed" "sync-started" "document-restored"))))

;;;; One place

(defvar-local meta-log-peer-sync-conflicts--shown nil
  "The (ID . RECORD) that the current buffer shows.")

(defvar meta-log-peer-sync-conflicts-place-mode-map
  (let ((map (make-sparse-keymap)))
    (set-keymap-parent map meta-log-peer-sync-view-mode-map)
    (define-key map "a" #'meta-log-peer-sync-conflicts-take-first)
    (define-key map "b" #'meta-log-peer-sync-conflicts-take-second)
    (define-key map "B" #'meta-log-peer-sync-conflicts-take-both)
    (define-key map "k" #'meta-log-peer-sync-conflicts-keep)
    (define-key map "e" #'meta-log-peer-sync-conflicts-merge)
    map)
  "Keys of `meta-log-peer-sync-conflicts-place-mode'.")

(define-derived-mode meta-log-peer-sync-conflicts-place-mode meta-log-peer-sync-view-mode
  "Conflict"
  "Major mode that shows one value that two people changed at once.
\\{meta-log-peer-sync-conflicts-place-mode-map}"
  (setq-local truncate-lines nil)
  (setq-local revert-buffer-function #'meta-log-peer-sync-conflicts--revert))

(defun meta-log-peer-sync-conflicts--insert (heading value)
  "Insert HEADING, and VALUE behind a bar."
  (insert heading "\n")
  (dolist (line (split-string (meta-log-peer-sync-conflicts-text value) "\n"))
    (insert "  | " (substring-no-properties line) "\n"))
  (insert "\n"))

(defun meta-log-peer-sync-conflicts--print (entry)
  "Show ENTRY, an (ID . RECORD) of a place, in the current buffer."
  (let* ((record (cdr entry)) (place (plist-get record :place))
         (inhibit-read-only t) (line (line-number-at-pos)))
    (setq meta-log-peer-sync-conflicts--shown entry)
    (erase-buffer)
    (insert (meta-log-peer-sync-core-plain (plist-get record :file) 200) ", "
            (meta-log-peer-sync-conflicts-where place) "\n\n")
    (cl-loop
     for (side kept heading) in '((:a "a" "First (a)") (:b "b" "Second (b)"))
     do (meta-log-peer-sync-conflicts--insert
         (concat heading ", by " (meta-log-peer-sync-conflicts--who (plist-get place side))
                 (if (equal (plist-get place :kept) kept) ", which stands now (k)" "")
                 (if (plist-get (plist-get place side) :value) ":" ": (removed)"))
         (plist-get (plist-get place side) :value)))
    (pcase (plist-get place :kept)
      ("both" (insert "The lines of both stand now, one after the other (k).\n\n"))
      ("neither" (insert "Another value stands now (k).\n\n")))
    (meta-log-peer-sync-conflicts--insert
     (if (plist-get place :base) "Before both:" "Before both: (nothing)")
     (plist-get place :base))
    (meta-log-peer-sync-conflicts--insert "The entry as it is now:" (plist-get place :entry))
    (insert "a, b: take this value   B: both, of lines   k: keep what stands   "
            "e: merge the two   g: refresh\n")
    (set-buffer-modified-p nil)
    (goto-char (point-min))
    (forward-line (1- line))))

(defun meta-log-peer-sync-conflicts--refresh-views (records)
  "Bring the buffers of one place up to date, by RECORDS."
  (dolist (buffer (buffer-list))
    (with-current-buffer buffer
      (when (and (derived-mode-p 'meta-log-peer-sync-conflicts-place-mode)
                 meta-log-peer-sync-conflicts--shown)
        (let ((entry (assoc (car meta-log-peer-sync-conflicts--shown) records))
              (inhibit-read-only t))
          (if entry
              (meta-log-peer-sync-conflicts--print entry)
            (erase-buffer)
            (insert "This conflict is settled.\n")
            (set-buffer-modified-p nil)
            (setq meta-log-peer-sync-conflicts--shown nil)))))))

(defun meta-log-peer-sync-conflicts--revert (&rest _ignored)
  "Ask about the place in the current buffer again."
  (meta-log-peer-sync-core-request
   "conflicts.list" nil
   (lambda (answer)
     (meta-log-peer-sync-conflicts--refresh-views
      (meta-log-peer-sync-conflicts-records answer)))))

(defun meta-log-peer-sync-conflicts--show-place (entry)
  "Show both values of ENTRY, an (ID . RECORD) of a place; return the buffer."
  (let ((buffer (get-buffer-create
                 (format "*conflict: %s*" (meta-log-peer-sync-core-plain (caar entry))))))
    (with-current-buffer buffer
      (meta-log-peer-sync-conflicts-place-mode)
      (meta-log-peer-sync-conflicts--print entry)
      (goto-char (point-min)))
    (unless noninteractive (pop-to-buffer buffer))
    buffer))

;;;; Settling

(defun meta-log-peer-sync-conflicts-settle (document number choice &optional value function)
  "Settle the conflict NUMBER of DOCUMENT with CHOICE, a string, and VALUE.
They are as for `meta-log-peer-sync-resolve'.  FUNCTION, if any, is called
without arguments once that is recorded."
  (meta-log-peer-sync-core-request
   "conflicts.resolve" (list :file document :number number :choice choice :value value)
   (lambda (answer)
     (let ((left (or (plist-get answer :open) 0)))
       (message "The conflict in %s is settled%s" (meta-log-peer-sync-core-plain document)
                (if (> left 0) (format "; %d left there" left) "")))
     (meta-log-peer-sync-view-follow answer)
     (meta-log-peer-sync-core--changed (list :event "document-restored" :file document))
     (when function (funcall function)))))

;;;; What can be done about the one at point

(defun meta-log-peer-sync-conflicts--at-point ()
  "Return the (ID . RECORD) at point, or of the current buffer."
  (if (derived-mode-p 'meta-log-peer-sync-conflicts-place-mode)
      (or meta-log-peer-sync-conflicts--shown (user-error "This conflict is settled"))
    (let ((id (meta-log-peer-sync-list-id)))
      (or (assoc id meta-log-peer-sync-conflicts--records)
          (user-error "This conflict is settled; g refreshes the list")))))

(defun meta-log-peer-sync-conflicts--place ()
  "Return the (ID . RECORD) of the place at point, or signal a `user-error'."
  (let ((entry (meta-log-peer-sync-conflicts--at-point)))
    (unless (plist-get (cdr entry) :place)
      (user-error "A whole version cannot be merged; RET shows it, r makes it the newest"))
    entry))

(defun meta-log-peer-sync-conflicts-view ()
  "Show both values of the place at point, or the version at point."
  (interactive)
  (let* ((entry (meta-log-peer-sync-conflicts--at-point))
         (path (plist-get (plist-get (cdr entry) :version) :path)))
    (cond ((plist-get (cdr entry) :place) (meta-log-peer-sync-conflicts--show-place entry))
          ((and (stringp path) (file-exists-p path)) (meta-log-peer-sync-view-file path))
          (t (user-error "This version is not written to a file yet; g refreshes the list")))))

(defun meta-log-peer-sync-conflicts--choose (choice what)
  "Settle the place at point with CHOICE, which is WHAT, after asking."
  (pcase-let* ((`((,file . ,number) . ,record) (meta-log-peer-sync-conflicts--place)))
    (unless (y-or-n-p (format "%s in %s, %s, for everybody? " what
                              (meta-log-peer-sync-core-plain file 60)
                              (meta-log-peer-sync-conflicts-where
                               (plist-get record :place))))
      (user-error "Nothing was settled"))
    (meta-log-peer-sync-conflicts-settle file number choice)))

(defun meta-log-peer-sync-conflicts-take-first ()
  "Settle the place at point with the first value, after asking."
  (interactive)
  (meta-log-peer-sync-conflicts--choose "a" "Take the first value"))

(defun meta-log-peer-sync-conflicts-take-second ()
  "Settle the place at point with the second value, after asking."
  (interactive)
  (meta-log-peer-sync-conflicts--choose "b" "Take the second value"))

(defun meta-log-peer-sync-conflicts-take-both ()
  "Settle the place at point with the lines of both, after asking.
Only lines of a text can stand one after the other."
  (interactive)
  (meta-log-peer-sync-conflicts--choose "both" "Take the lines of both"))

(defun meta-log-peer-sync-conflicts-keep ()
  "Settle the place at point with what stands there now, after asking."
  (interactive)
  (meta-log-peer-sync-conflicts--choose "kept" "Keep what stands"))

(defun meta-log-peer-sync-conflicts-restore ()
  "Make the version at point the newest one; interactively, after asking."
  (interactive)
  (pcase-let ((ask (called-interactively-p 'any))
              (`((,file . ,revision) . ,record) (meta-log-peer-sync-conflicts--at-point)))
    (when (plist-get record :place)
      (user-error "This is one value of the document; a, b, k and e settle it"))
    (meta-log-peer-sync-documents-ask-restore file revision ask)))

;;;; Merging by hand

(defun meta-log-peer-sync-conflicts--buffer (name value)
  "Return a new buffer called NAME, with the text of VALUE and a line end."
  (with-current-buffer (generate-new-buffer name)
    (meta-log-peer-sync-guard-make-inert)
    (setq-local bidi-display-reordering nil)
    (insert (substring-no-properties (meta-log-peer-sync-conflicts-text value)) "\n")
    (set-buffer-modified-p nil)
    (current-buffer)))

(defun meta-log-peer-sync-conflicts--store (entry merged)
  "Ask whether the text of the buffer MERGED is to stand at the place of ENTRY.
The buffer is killed once that is recorded."
  (pcase-let* ((`((,file . ,number) . ,record) entry)
               (place (plist-get record :place))
               (text (with-current-buffer merged
                       (save-restriction
                         (widen)
                         (buffer-substring-no-properties (point-min) (point-max))))))
    (if (y-or-n-p (format "Store the merged value in %s, %s, for everybody? "
                          (meta-log-peer-sync-core-plain file 60)
                          (meta-log-peer-sync-conflicts-where place)))
        (meta-log-peer-sync-conflicts-settle
         file number "value"
         (meta-log-peer-sync-conflicts-value place (string-remove-suffix "\n" text))
         (lambda () (when (buffer-live-p merged) (kill-buffer merged))))
      (message "Nothing was settled; the merged text is in the buffer %s"
               (buffer-name merged)))))

(defun meta-log-peer-sync-conflicts-merge ()
  "Merge the two values of the place at point by hand, with Ediff.
The merged one begins as what stands, where that is one of the two.  When
Ediff is quit, it is stored if you say so."
  (interactive)
  (require 'ediff)
  (let* ((entry (meta-log-peer-sync-conflicts--place))
         (place (plist-get (cdr entry) :place))
         (name (meta-log-peer-sync-core-plain (caar entry) 40))
         (first (meta-log-peer-sync-conflicts--buffer
                 (format "*first: %s*" name) (plist-get (plist-get place :a) :value)))
         (second (meta-log-peer-sync-conflicts--buffer
                  (format "*second: %s*" name) (plist-get (plist-get place :b) :value)))
         (before (and (plist-get place :base)
                      (meta-log-peer-sync-conflicts--buffer
                       (format "*before: %s*" name) (plist-get place :base))))
         (ediff-default-variant (if (equal (plist-get place :kept) "b") 'default-B
                                  'default-A))
         (hooks (list (lambda ()
                        (meta-log-peer-sync-conflicts--prepare
                         entry (delq nil (list first second before)))))))
    (if before
        (ediff-merge-buffers-with-ancestor first second before hooks)
      (ediff-merge-buffers first second hooks))))

(defun meta-log-peer-sync-conflicts--prepare (entry buffers)
  "Prepare the Ediff session of the current buffer for ENTRY.
BUFFERS are those that are compared."
  (let ((merged ediff-buffer-C))
    (with-current-buffer merged
      (meta-log-peer-sync-guard-make-inert)
      (setq-local bidi-display-reordering nil))
    (add-hook 'ediff-after-quit-hook-internal
              (lambda () (meta-log-peer-sync-conflicts--finish entry merged buffers))
              nil t)))

(defun meta-log-peer-sync-conflicts--finish (entry merged buffers)
  "The Ediff session of ENTRY has ended: take what is in the buffer MERGED.
BUFFERS, those that were compared, are killed."
  (mapc #'kill-buffer (cl-remove-if-not #'buffer-live-p buffers))
  (when (buffer-live-p merged)
    (meta-log-peer-sync-conflicts--store entry merged)))

(provide 'meta-log-peer-sync-conflicts)
;;; meta-log-peer-sync-conflicts.el ends here
