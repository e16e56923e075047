;;; meta-log-peer-sync-guard.el --- Open synced files inert  -*- lexical-binding: t; -*-

;; Copyright (C) 2026 The meta-log-peer-sync authors

;; SPDX-License-Identifier: MIT

;; Author: The meta-log-peer-sync authors
;; Version: 0.1.0
;; URL: https://github.com/bthornemail/meta-log-peer-sync
;; Keywords: comm, files

;;; Commentary:

;; Synced files come from other people.  Emacs obeys files in many ways
;; when it visits them: mode cookies, file-local and directory-local
;; variables (`read-symbol-shorthands' among them, which runs before any
;; question is asked), coding cookies, text formats, modes that macroexpand
;; or follow what they show.  `meta-log-peer-sync-guard-mode' switches all
;; of that off for every file below the state directory, whatever name it
;; is reached by: such a file is text, in a mode chosen by this file alone,
;; and saving it writes the very bytes that were read.  How such a file is
;; edited while peers change it is in `meta-log-peer-sync-edit'.
;;
;; It works through advice on Lisp functions only.  Advice on a primitive
;; would need a trampoline, which a natively compiled Emacs has to compile
;; first.

;;; Code:

(require 'cl-lib)
(require 'meta-log-peer-sync-edit)

(defvar meta-log-peer-sync-state-directory)

(defcustom meta-log-peer-sync-guard-modes nil
  "Major modes for synced files, by the ending of their names.
Each entry is (ENDING . MODE), such as (\"json\" . js-json-mode).  Without
one, a synced file is plain text.  Name only modes that do nothing but
show and colour: what you name here is trusted with text of other people.
`org-mode', for one, acts on keywords in the file."
  :type '(alist :key-type (string :tag "Ending") :value-type function)
  :risky t
  :group 'meta-log-peer-sync
  :package-version '(meta-log-peer-sync . "0.1.0"))

(defcustom meta-log-peer-sync-guard-shared-folders t
  "Non-nil: files of a folder that shows `commons' open inert, too.
Everybody who is accepted can write there.  With nil, such files open as
your files always do: Emacs obeys what is in them."
  :type 'boolean
  :risky t
  :group 'meta-log-peer-sync
  :package-version '(meta-log-peer-sync . "0.1.0"))

(defvar meta-log-peer-sync-guard--roots nil "Folders whose files open inert.")
(defvar meta-log-peer-sync-guard--exempt nil
  "Files below them that Emacs itself writes, and that open as usual.")
(defvar meta-log-peer-sync-guard--decoding nil
  "Non-nil when the coding that was last asked for is that of a guarded file.
Emacs asks for it just before it decodes the format of the text.")

(defvar-local meta-log-peer-sync-guard--inert nil
  "Non-nil in a buffer whose text came from a synced file.")
(put 'meta-log-peer-sync-guard--inert 'permanent-local t)

(defvar meta-log-peer-sync-guard-mode)

;;;; What is guarded

(defun meta-log-peer-sync-guard--plain-name (file)
  "Return the local, absolute name of FILE, without quoting and host."
  (let ((local (if (file-remote-p file) (file-local-name file) file))
        (file-name-handler-alist nil))
    (expand-file-name (file-name-unquote local t))))

(defun meta-log-peer-sync-guard--true-name (file)
  "Return the true name of FILE, also when parts of it do not exist."
  (let ((file (meta-log-peer-sync-guard--plain-name file))
        (file-name-handler-alist nil))
    (condition-case nil
        (file-truename file)
      ;; A cycle of symbolic links: nothing can be read through it.
      (error file))))

(defun meta-log-peer-sync-guard-protect (folder)
  "Let the files of FOLDER open inert while the guard is on."
  (let ((folder (file-name-as-directory
                 (meta-log-peer-sync-guard--plain-name folder))))
    (cl-pushnew folder meta-log-peer-sync-guard--roots :test #'equal)))

(defun meta-log-peer-sync-guard-exempt (file)
  "Let FILE, which Emacs itself writes, open as usual."
  (cl-pushnew (meta-log-peer-sync-guard--plain-name file)
              meta-log-peer-sync-guard--exempt :test #'equal))

(defun meta-log-peer-sync-guard-file-p (file)
  "Return non-nil when FILE, by any of its names, is below a guarded folder."
  (and (stringp file)
       (let* ((plain (meta-log-peer-sync-guard--plain-name file))
              (file-name-handler-alist nil)
              (names (delete-dups
                      (list plain (meta-log-peer-sync-guard--true-name plain)))))
         (and (cl-some
               (lambda (root)
                 (let ((roots (list root (file-name-as-directory
                                          (meta-log-peer-sync-guard--true-name root)))))
                   (cl-some (lambda (name)
                              (cl-some (lambda (folder)
                                         (string-prefix-p
                                          folder (if (file-directory-p name)
                                                     (file-name-as-directory name)
                                                   name)))
                                       roots))
                            names)))
               meta-log-peer-sync-guard--roots)
              (not (cl-some
                    (lambda (exempt)
                      (equal (meta-log-peer-sync-guard--true-name exempt) (car (last names))))
                    meta-log-peer-sync-guard--exempt))))))

(defun meta-log-peer-sync-guard-buffer-p (&optional buffer)
  "Return non-nil when BUFFER, default the current one, has to stay inert.
That is so when it visits a guarded file, once did, or shows a guarded
folder."
  (with-current-buffer (or buffer (current-buffer))
    (or meta-log-peer-sync-guard--inert
        (meta-log-peer-sync-guard-file-p (or buffer-file-name default-directory)))))

;;;; Bytes and text

(defun meta-log-peer-sync-guard-coding (file)
  "Return the coding system to read FILE, and write the same bytes.
It is UTF-8 always.  Line ends are converted only when all are CR LF, and
the mark at the beginning is taken off only when text follows it."
  (with-temp-buffer
    (set-buffer-multibyte nil)
    (condition-case nil
        (insert-file-contents-literally file)
      (file-error nil))
    (goto-char (point-min))
    (let* ((signature (and (> (buffer-size) 3)
                           (equal (buffer-substring (point-min) (+ (point-min) 3))
                                  "\357\273\277")))
           (dos (and (search-forward "\r\n" nil t)
                     (progn (goto-char (point-min))
                            (not (re-search-forward "\\(?:\\`\\|[^\r]\\)\n" nil t))))))
      (cond ((and signature dos) 'utf-8-with-signature-dos)
            (signature 'utf-8-with-signature-unix)
            (dos 'utf-8-dos)
            (t 'utf-8-unix)))))

(defun meta-log-peer-sync-guard--find-auto-coding (function file size)
  "Around `find-auto-coding': FUNCTION is not asked about a guarded FILE of SIZE."
  (if (meta-log-peer-sync-guard-file-p file)
      (prog1 (cons (meta-log-peer-sync-guard-coding file) :coding)
        (setq meta-log-peer-sync-guard--decoding t))
    (setq meta-log-peer-sync-guard--decoding nil)
    (funcall function file size)))

(defun meta-log-peer-sync-guard--format-decode (function format length &rest rest)
  "Around `format-decode': text of a guarded file has no FORMAT.
FUNCTION is called with it, LENGTH and REST for every other file."
  (let ((guarded (or meta-log-peer-sync-guard--decoding
                     (meta-log-peer-sync-guard-buffer-p))))
    (setq meta-log-peer-sync-guard--decoding nil)
    (if guarded length (apply function format length rest))))

(defun meta-log-peer-sync-guard--safe-coding (function from to &rest rest)
  "Around `select-safe-coding-system': no question about a guarded buffer.
FUNCTION is called with FROM, TO and REST for every other buffer.  It
would ask when a cookie in the text names another coding."
  (if (and (not (stringp from)) buffer-file-name
           (meta-log-peer-sync-guard-buffer-p))
      (if (memq (coding-system-base (or buffer-file-coding-system 'undecided))
                '(utf-8 utf-8-with-signature no-conversion))
          buffer-file-coding-system
        'utf-8-unix)
    (apply function from to rest)))

(defun meta-log-peer-sync-guard-text (file coding &optional limit)
  "Return the text of FILE decoded by CODING, its first LIMIT bytes if given."
  (with-temp-buffer
    (set-buffer-multibyte nil)
    (insert-file-contents-literally file nil (and limit 0) limit)
    (decode-coding-string (buffer-string) coding t)))

(defun meta-log-peer-sync-guard--place (position)
  "Return (POSITION COLUMN . LINES), by which to find POSITION again.
LINES are its text and those of some lines above it."
  (save-excursion
    (goto-char position)
    (let ((column (- (point) (line-beginning-position))) lines)
      (while (and (< (length lines) 20)
                  (progn (push (buffer-substring-no-properties
                                (line-beginning-position) (line-end-position))
                               lines)
                         (= 0 (forward-line -1)))))
      (cons position (cons column (nreverse lines))))))

(defun meta-log-peer-sync-guard--line (text near)
  "Return where the line TEXT begins, the one closest to NEAR, or nil."
  (let ((wanted (concat "\n" text "\n")) before after)
    (save-excursion
      (goto-char (min near (point-max)))
      (if (search-backward wanted nil t)
          (setq before (1+ (point)))
        (goto-char (point-min))
        (when (looking-at-p (concat (regexp-quote text) "\n"))
          (setq before (point))))
      (goto-char (min near (point-max)))
      (forward-line -1)
      (when (search-forward wanted nil t)
        (setq after (1+ (match-beginning 0)))))
    (if (and before after)
        (if (< (- after near) (- near before)) after before)
      (or before after))))

(defun meta-log-peer-sync-guard--find (place)
  "Return the position of PLACE in the text that is there now.
Where its line is gone, it is after the nearest one above that is there."
  (pcase-let ((`(,position ,column . ,lines) place))
    (or (cl-loop for line in lines for below from 0
                 for found = (and (string-match-p "[^ \t{}]" line)
                                  (meta-log-peer-sync-guard--line line position))
                 when found
                 return (save-excursion
                          (goto-char found)
                          (forward-line below)
                          (min (+ (point) column) (line-end-position))))
        (min position (point-max)))))

(defun meta-log-peer-sync-guard--replace-text (source)
  "Make the text of the current buffer that of the buffer SOURCE.
Where the two are so different that Emacs would take long to find out what
changed, all is replaced, and only point, in each window, stays in its line."
  (let ((place (meta-log-peer-sync-guard--place (point)))
        (places (mapcar (lambda (window)
                          (cons window (meta-log-peer-sync-guard--place
                                        (window-point window))))
                        (get-buffer-window-list nil nil t))))
    (unless (replace-buffer-contents source 0.05)
      (goto-char (meta-log-peer-sync-guard--find place))
      (pcase-dolist (`(,window . ,place) places)
        (set-window-point window (meta-log-peer-sync-guard--find place))))))

(defun meta-log-peer-sync-guard-replace (file)
  "Make the current buffer, which visits FILE, equal to it.
Point, marks and undo stay where they are."
  (let* ((coding (meta-log-peer-sync-guard-coding file))
         (text (meta-log-peer-sync-guard-text file coding))
         (attributes (file-attributes file))
         (source (generate-new-buffer " *synced text*" t))
         (inhibit-read-only t))
    (unwind-protect
        (progn
          (with-current-buffer source (insert text))
          (undo-boundary)
          ;; Without a visited file, Emacs neither locks it nor asks about
          ;; the change on disk, which is the change we follow.
          (let ((buffer-file-name nil) (buffer-file-truename nil))
            (save-restriction
              (widen)
              (meta-log-peer-sync-guard--replace-text source)))
          (undo-boundary)
          (setq buffer-file-coding-system coding
                buffer-file-number (nthcdr 10 attributes))
          (set-visited-file-modtime (file-attribute-modification-time attributes))
          (set-buffer-modified-p nil))
      (kill-buffer source))))

(defun meta-log-peer-sync-guard--revert (file auto-save)
  "Read FILE into the current buffer again, for `revert-buffer'.
With AUTO-SAVE it is an auto-save file.  Emacs 28 would move bytes that are
not UTF-8."
  (if (or auto-save find-file-literally (not (file-exists-p file)))
      (revert-buffer-insert-file-contents--default-function file auto-save)
    (meta-log-peer-sync-guard-replace file)))

;;;; Modes and variables

(defvar meta-log-peer-sync-guard--bidi
  (let ((table (make-char-table 'glyphless-char-display)))
    ;; Not U+FE0E and U+FE0F: they stand behind symbols in the text of honest people.
    (dolist (char '(#xad #x34f #x61c #x115f #x1160 #x17b4 #x17b5 (#x180b . #x180f)
                         (#x200b . #x200f) (#x202a . #x202e) (#x2060 . #x206f) #x3164
                         (#xfe00 . #xfe0d) #xfeff #xffa0 (#xe0000 . #xe0fff)))
      (set-char-table-range table char 'hex-code))
    table)
  "Shows characters that hide or turn text around as their numbers.")

(defun meta-log-peer-sync-guard-show-all ()
  "Show invisible and direction-changing characters of the current buffer."
  (let ((table (copy-sequence meta-log-peer-sync-guard--bidi)))
    (set-char-table-parent table (default-value 'glyphless-char-display))
    (setq-local glyphless-char-display table))
  (setq-local bidi-paragraph-direction 'left-to-right))

(defun meta-log-peer-sync-guard-make-inert ()
  "Mark the current buffer: nothing in its text is to be obeyed."
  (setq meta-log-peer-sync-guard--inert t)
  ;; Emacs binds it while it chooses the mode, and would remark on what is meant so.
  (let ((inhibit-message t) (message-log-max nil))
    (setq-local enable-local-variables nil))
  (setq-local enable-local-eval nil)
  (setq-local enable-dir-local-variables nil)
  (setq-local untrusted-content t)
  ;; The folder holds documents only; nothing is left beside them.
  (setq-local revert-buffer-insert-file-contents-function
              #'meta-log-peer-sync-guard--revert)
  (setq-local backup-inhibited t)
  (setq-local require-final-newline nil)
  (setq-local mode-require-final-newline nil)
  (meta-log-peer-sync-edit-prepare)
  (meta-log-peer-sync-guard-show-all))

(define-derived-mode meta-log-peer-sync-guard-file-mode text-mode "Synced"
  "Major mode for synced files: text in which nothing is obeyed."
  (meta-log-peer-sync-guard-make-inert))

(defun meta-log-peer-sync-guard--mode (file)
  "Return the major mode for the guarded FILE."
  (let ((mode (cdr (assoc (file-name-extension (or file ""))
                          meta-log-peer-sync-guard-modes))))
    (if (and mode (fboundp mode)) mode #'meta-log-peer-sync-guard-file-mode)))

(defun meta-log-peer-sync-guard--set-auto-mode (function &optional keep)
  "Around `set-auto-mode': FUNCTION, with KEEP, is for other files only."
  (if (not (and buffer-file-name (meta-log-peer-sync-guard-buffer-p)))
      (funcall function keep)
    (let ((mode (meta-log-peer-sync-guard--mode buffer-file-name)))
      (setq meta-log-peer-sync-guard--inert t)
      (unless (and keep (eq major-mode mode))
        (funcall mode))
      (meta-log-peer-sync-guard-make-inert)
      (unless (file-exists-p buffer-file-name)
        (setq buffer-file-coding-system 'utf-8-unix)))))

(defun meta-log-peer-sync-guard--unless-guarded (function &rest arguments)
  "Call FUNCTION with ARGUMENTS unless the current buffer has to stay inert."
  (unless (meta-log-peer-sync-guard-buffer-p)
    (apply function arguments)))

(defun meta-log-peer-sync-guard--visit (function buffer file &rest rest)
  "Around `find-file-noselect-1': FUNCTION with BUFFER, FILE and REST."
  (if (not (meta-log-peer-sync-guard-file-p file))
      (progn
        ;; The buffer may have visited a guarded file before.
        (with-current-buffer buffer
          (kill-local-variable 'meta-log-peer-sync-guard--inert))
        (apply function buffer file rest))
    (let ((format-alist nil)
          (inhibit-file-name-handlers
           (append '(jka-compr-handler image-file-handler epa-file-handler)
                   (and (eq inhibit-file-name-operation 'insert-file-contents)
                        inhibit-file-name-handlers)))
          (inhibit-file-name-operation 'insert-file-contents))
      (with-current-buffer buffer
        (setq meta-log-peer-sync-guard--inert t))
      (prog1 (apply function buffer file rest)
        (when (buffer-live-p buffer)
          (with-current-buffer buffer
            (meta-log-peer-sync-guard-make-inert)))))))

(defun meta-log-peer-sync-guard--state-directory ()
  "Return the state directory."
  (file-name-as-directory
   (expand-file-name (or (bound-and-true-p meta-log-peer-sync-state-directory)
                         (locate-user-emacs-file "meta-log/")))))

(defun meta-log-peer-sync-guard--auto-save-name (function)
  "Around `make-auto-save-file-name': FUNCTION, but not among the documents."
  (if (not (and buffer-file-name (meta-log-peer-sync-guard-file-p buffer-file-name)))
      (funcall function)
    (let* ((folder (expand-file-name "auto-save/" (meta-log-peer-sync-guard--state-directory)))
           (auto-save-file-name-transforms `((".*" ,folder sha1))))
      (with-file-modes #o700 (make-directory folder t))
      (funcall function))))

(defun meta-log-peer-sync-guard--lock-name (function file)
  "Around `make-lock-file-name': FUNCTION locks a guarded FILE beside it.
The sidecar looks for the lock there.  Emacs calls this amid a change."
  (save-match-data
    (let* ((guarded (meta-log-peer-sync-guard-file-p file))
           (lock-file-name-transforms (and (not guarded) lock-file-name-transforms)))
      ;; Without a name, Emacs leaves the lock that is there.
      (unless (and guarded meta-log-peer-sync-edit-keep-lock)
        (funcall function file)))))

(defun meta-log-peer-sync-guard--insert (function file &rest rest)
  "Around `insert-file-1': FUNCTION with FILE and REST, without formats."
  (if (meta-log-peer-sync-guard-file-p file)
      (let ((format-alist nil)) (apply function file rest))
    (apply function file rest)))

(defconst meta-log-peer-sync-guard--advice
  '((find-file-noselect-1 . meta-log-peer-sync-guard--visit)
    (insert-file-1 . meta-log-peer-sync-guard--insert)
    (find-auto-coding . meta-log-peer-sync-guard--find-auto-coding)
    (select-safe-coding-system . meta-log-peer-sync-guard--safe-coding)
    (make-auto-save-file-name . meta-log-peer-sync-guard--auto-save-name)
    (make-lock-file-name . meta-log-peer-sync-guard--lock-name)
    (basic-save-buffer . meta-log-peer-sync-edit--save)
    (ask-user-about-supersession-threat . meta-log-peer-sync-edit--supersession)
    (recover-file . meta-log-peer-sync-edit--recover)
    (format-decode . meta-log-peer-sync-guard--format-decode)
    (set-auto-mode . meta-log-peer-sync-guard--set-auto-mode)
    (hack-local-variables . meta-log-peer-sync-guard--unless-guarded)
    (hack-local-variables-prop-line . meta-log-peer-sync-guard--unless-guarded)
    (hack-local-variables--find-variables . meta-log-peer-sync-guard--unless-guarded)
    (hack-dir-local-variables . meta-log-peer-sync-guard--unless-guarded))
  "What the guard advises, and with what.")

(defcustom meta-log-peer-sync-guard-mode-hook nil
  "Functions called after the guard was turned on or off."
  :type 'hook
  :group 'meta-log-peer-sync
  :package-version '(meta-log-peer-sync . "0.1.0"))

;;;###autoload
(define-minor-mode meta-log-peer-sync-guard-mode
  "Open every file below the state directory as inert text.
Nothing in such a file is obeyed or evaluated, by whatever command or name
it is opened.  Starting a peer turns this on; an init file may do so
before, for files that Emacs opens before the peer is started."
  :global t
  :group 'meta-log-peer-sync
  (dolist (entry meta-log-peer-sync-guard--advice)
    (advice-remove (car entry) (cdr entry)))
  (when meta-log-peer-sync-guard-mode
    (meta-log-peer-sync-guard-protect (meta-log-peer-sync-guard--state-directory))
    (setq meta-log-peer-sync-edit-folder
          (expand-file-name "synced/" (meta-log-peer-sync-guard--state-directory)))
    (dolist (entry meta-log-peer-sync-guard--advice)
      (when (fboundp (car entry))
        (advice-add (car entry) :around (cdr entry))))))

(defun meta-log-peer-sync-guard-unload-function ()
  "Take the advice away."
  (meta-log-peer-sync-guard-mode -1)
  nil)

(provide 'meta-log-peer-sync-guard)
;;; meta-log-peer-sync-guard.el ends here
