;;; meta-log-peer-sync-mirror.el --- A git repository that follows the documents  -*- lexical-binding: t; -*-

;; Copyright (C) 2026 The meta-log-peer-sync authors

;; SPDX-License-Identifier: MIT

;; Author: The meta-log-peer-sync authors
;; Version: 0.1.0
;; URL: https://github.com/bthornemail/meta-log-peer-sync
;; Keywords: comm, tools, vc

;;; Commentary:

;; M-x meta-log-peer-sync-mirror lets a git repository follow the documents:
;; every revision becomes a commit of its author.  M-x
;; meta-log-peer-sync-mirror-log shows the log of a document there, with Magit
;; where that is installed, else with VC.
;;
;; The files of the mirror were written by other people: they open inert.

;;; Code:

(require 'meta-log-peer-sync-core)

(declare-function magit-log-setup-buffer "ext:magit-log")
(declare-function vc-print-log-internal "vc")
(declare-function meta-log-peer-sync--read-document "meta-log-peer-sync")
(declare-function meta-log-peer-sync--document-name "meta-log-peer-sync")

(defcustom meta-log-peer-sync-mirror-log-limit 1000
  "How many commits `meta-log-peer-sync-mirror-log' shows."
  :type 'natnum
  :group 'meta-log-peer-sync
  :package-version '(meta-log-peer-sync . "0.1.0"))

(defun meta-log-peer-sync-mirror--take (answer)
  "Protect the folder that ANSWER names, and return that, or nil for none."
  (let ((path (plist-get answer :path)))
    (when (stringp path)
      (meta-log-peer-sync-guard-protect path)
      (file-name-as-directory path))))

(defun meta-log-peer-sync-mirror--summary (answer)
  "Return ANSWER, of one of the requests `mirror.*', as one line."
  (let ((left (or (plist-get answer :waiting) 0)) (problem (plist-get answer :error)))
    (cond ((not (stringp (plist-get answer :path)))
           "No git repository follows the documents")
          (problem
           (format "The git mirror lags behind: %s; %s"
                   (meta-log-peer-sync-core-plain (plist-get problem :message) 200)
                   (meta-log-peer-sync-core-plain (plist-get problem :hint) 100)))
          (t (format "%s follows the documents%s"
                     (meta-log-peer-sync-core-plain (plist-get answer :path) 200)
                     (if (> left 0)
                         (format ", %s to be recorded"
                                 (meta-log-peer-sync-core-count left "revision"))
                       ""))))))

(defun meta-log-peer-sync-mirror--ask (method params)
  "Ask the sidecar METHOD with PARAMS, and say what it answers."
  (meta-log-peer-sync-core-request
   method params
   (lambda (answer)
     (meta-log-peer-sync-mirror--take answer)
     (meta-log-peer-sync-rpc-refresh-status)
     (message "%s" (meta-log-peer-sync-mirror--summary answer)))))

;;;###autoload
(defun meta-log-peer-sync-mirror (directory)
  "Let a git repository in DIRECTORY follow the documents; return t at once.
Each revision becomes a commit of its author, now and from now on.  The
DIRECTORY is a new or empty one, or a mirror made before.  The sidecar
needs the Python package dulwich for that."
  (interactive (list (read-directory-name "Git mirror in (new or empty) folder: ")))
  (when (file-remote-p directory)
    (user-error "%s is on another machine; name a folder of this one" directory))
  (meta-log-peer-sync-mirror--ask
   "mirror.git" (list :path (directory-file-name (expand-file-name directory))))
  t)

;;;###autoload
(defun meta-log-peer-sync-mirror-off ()
  "Let no git repository follow the documents any more; return t at once.
The one that did stays as it is."
  (interactive)
  (meta-log-peer-sync-mirror--ask "mirror.off" nil)
  t)

;;;###autoload
(defun meta-log-peer-sync-mirror-status ()
  "Say which git repository follows the documents; return t at once."
  (interactive)
  (meta-log-peer-sync-mirror--ask "mirror.status" nil)
  t)

;;;###autoload
(defun meta-log-peer-sync-mirror-log (document)
  "Show the git log of DOCUMENT, a document's or file's name; return t at once.
It is that of the git mirror, which \\[meta-log-peer-sync-mirror] starts."
  (interactive (progn (require 'meta-log-peer-sync)
                      (list (meta-log-peer-sync--read-document))))
  (require 'meta-log-peer-sync)
  (let ((name (meta-log-peer-sync--document-name document)))
    (meta-log-peer-sync-core-request
     "mirror.status" nil
     (lambda (answer)
       (let ((folder (meta-log-peer-sync-mirror--take answer)))
         (cond ((null folder)
                (message "There is no git mirror; M-x meta-log-peer-sync-mirror starts one"))
               ((not (file-directory-p folder))
                (message "%s" (meta-log-peer-sync-mirror--summary answer)))
               (t (meta-log-peer-sync-mirror--log folder name)))))))
  t)

(defun meta-log-peer-sync-mirror--log (folder document)
  "Show the log of DOCUMENT in the git repository FOLDER."
  (let ((default-directory folder))
    (if (require 'magit-log nil t)
        (magit-log-setup-buffer '("main") '("--date-order") (list document))
      (require 'vc)
      (vc-print-log-internal 'Git (list (expand-file-name document)) nil nil
                             meta-log-peer-sync-mirror-log-limit))))

(provide 'meta-log-peer-sync-mirror)
;;; meta-log-peer-sync-mirror.el ends here
